"""Data with every defect that an analyst looks for: told, never a crash, a NaN or a warning."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from fmnist import names
from fmnist.data import dataset
from fmnist.data.dataset import FashionMNIST, Split
from fmnist.eda import explore as exploration
from fmnist.eda import report
from fmnist.errors import BadInput
from fmnist.results.eda import Exploration
from fmnist.system.progress import Steps

Change = Callable[[FashionMNIST], FashionMNIST]


@pytest.fixture
def data(small_data_dir: Path) -> FashionMNIST:
    return dataset.load(str(small_data_dir), "auto")


def planted(data: FashionMNIST) -> FashionMNIST:
    """Duplicates of every kind, one with another label, near ones, blank and constant images."""
    train, test = data.train.images.copy(), data.test.images.copy()
    labels = data.train.labels.copy()
    train[1], labels[1] = train[0], (labels[0] + 1) % 10
    train[2] = test[5]
    test[7] = test[6]
    train[3] = test[9] ^ 1
    train[[10, 11]] = 0
    test[20] = 0
    train[:, 0, 0] = test[:, 0, 0] = 0
    train[12] = 50
    return replace(data, train=Split(train, labels), test=Split(test, data.test.labels))


def without_class_four(data: FashionMNIST) -> FashionMNIST:
    train, test = (s.take(np.flatnonzero(s.labels != 4)) for s in (data.train, data.test))
    return replace(data, train=train, test=test)


def one_a_class(data: FashionMNIST) -> FashionMNIST:
    train, test = (
        s.take(np.unique(s.labels, return_index=True)[1]) for s in (data.train, data.test)
    )
    return replace(data, train=train, test=test)


def mostly_blank(data: FashionMNIST) -> FashionMNIST:
    images = data.train.images.copy()
    images[:590] = 0
    test = np.zeros_like(data.test.images)
    return replace(data, train=Split(images, data.train.labels), test=Split(test, data.test.labels))


def inverted_and_scaled(data: FashionMNIST) -> FashionMNIST:
    train = Split(255 - data.train.images // 4, data.train.labels)
    return replace(data, train=train, test=Split(data.test.images // 200, data.test.labels))


def explore(data: FashionMNIST, perplexity: float) -> Exploration:
    exploration.check(data, 0, perplexity)
    with threadpool_limits(1):
        return exploration.explore(data, 0, perplexity, seed=0, steps=Steps(io.StringIO()))


@pytest.mark.parametrize(
    ("change", "perplexity", "words"),
    [
        (planted, 10, "2 training images are blank (all 0): row 10, 11."),
        (planted, 10, "1 test image is blank (all 0): row 20."),
        (planted, 10, "2 training images repeat an earlier one, 1 test images repeat"),
        (without_class_four, 10, "No training image of class Coat (4)."),
        (without_class_four, 10, "No test image of class Coat (4)."),
        (one_a_class, 5, "**10 training and 10 test images**"),
        (mostly_blank, 10, "590 training images are blank (all 0): row 0, 1, 2, 3, 4, …."),
        (inverted_and_scaled, 10, "they may be inverted"),
        (inverted_and_scaled, 10, "The test pixels lie in 0 to 1: wanted 0 to 255."),
    ],
)
def test_defects_are_told(
    data: FashionMNIST, change: Change, perplexity: float, words: str
) -> None:
    assert words in report.note(cached(data, change, perplexity))


@pytest.mark.parametrize(
    ("change", "perplexity"),
    [(planted, 10), (without_class_four, 10), (one_a_class, 5), (mostly_blank, 10),
     (inverted_and_scaled, 10)],
)  # fmt: skip
def test_nothing_is_nan_and_every_file_is_made(
    data: FashionMNIST, change: Change, perplexity: float
) -> None:
    found = cached(data, change, perplexity)
    assert np.isfinite(list(report.metrics(found).values())).all()
    files = report.files(found)
    json.loads(files[names.TABLE_AUDIT], parse_constant=pytest.fail)
    assert sum(name.endswith(".png") for name in files) == 9
    assert "nan" not in report.note(found).lower()


def test_planted_rows_are_named(data: FashionMNIST) -> None:
    found = cached(data, planted, 10)
    told = json.loads(report.files(found)[names.TABLE_AUDIT])
    exact = told["exact_duplicates"]
    assert exact["train_rows_equal_to_an_earlier_one"] == [1, 11]
    assert exact["test_rows_equal_to_an_earlier_one"] == [7]
    assert exact["train_rows_equal_to_a_test_row"] == [2, 10, 11]
    assert exact["test_rows_equal_to_a_train_row"] == [5, 20]
    assert told["near_duplicates"]["train_rows"] == [3]
    assert told["near_duplicates"]["test_rows"] == [9]
    assert told["splits"]["train"]["blank_rows"] == [10, 11]
    assert told["splits"]["train"]["constant_rows"] == [12]
    assert report.metrics(found)[names.LABEL_CONFLICTS] >= 2


@pytest.mark.parametrize(
    ("change", "rows", "perplexity", "words"),
    [
        (None, 0, 267, "perplexity=267: wanted at least 802 images"),
        (None, 50, 30, "perplexity=30: wanted at least 91 images"),
        (None, 801, 30, "tsne_rows=801: wanted at most 800"),
        (one_a_class, 0, 30, "got 20; use a perplexity of at most 6 or more images"),
    ],
)
def test_what_cannot_be_done_is_refused(
    data: FashionMNIST, change: Change | None, rows: int, perplexity: float, words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        exploration.check(change(data) if change else data, rows, perplexity)


def test_training_images_all_the_same_are_refused(data: FashionMNIST) -> None:
    same = Split(np.full_like(data.train.images, 7), data.train.labels)
    with pytest.raises(BadInput, match="got 600 times the same one"):
        exploration.check(replace(data, train=same), 0, 10)


_explored: dict[Change, Exploration] = {}


def cached(data: FashionMNIST, change: Change, perplexity: float) -> Exploration:
    """Several tests look at the same changed data."""
    if change not in _explored:
        _explored[change] = explore(change(data), perplexity)
    return _explored[change]
