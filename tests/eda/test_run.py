"""Data with every kind of defect is described without a crash, a NaN or a warning."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fmnist import names
from fmnist.data.dataset import FashionMNIST, Split
from fmnist.eda import embedding, report
from fmnist.eda.run import check_data, explore
from fmnist.errors import BadInput
from fmnist.system.progress import Steps

Change = Callable[[FashionMNIST], FashionMNIST]


def planted(data: FashionMNIST) -> FashionMNIST:
    """Exact and near-duplicates, one with another label, blank and constant images."""
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


def one_per_class(data: FashionMNIST) -> FashionMNIST:
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


@pytest.mark.parametrize(
    ("change", "perplexity", "facts"),
    [
        (
            planted,
            10,
            [
                "2 training images are blank (all 0): row 10, 11.",
                "1 test image is blank (all 0): row 20.",
                "2 training images equal an earlier training image, 1 test images",
            ],
        ),
        pytest.param(
            without_class_four,
            10,
            ["training split has no image of class 4.", "test split has no image of class"],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            one_per_class, 5, ["**10 training and 10 test images**"], marks=pytest.mark.slow
        ),
        (mostly_blank, 10, ["590 training images are blank (all 0): row 0, 1, 2, 3, 4, …."]),
        pytest.param(
            inverted_and_scaled,
            10,
            ["they may be inverted", "test pixel values range from 0 to 1; expected 0 to 255"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_defects_are_described(
    data: FashionMNIST,
    change: Change,
    perplexity: float,
    facts: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Starting a process for each embedding takes seconds.
    monkeypatch.setattr(embedding, "compute_tsne", embedding.fit_tsne)
    changed = change(data)
    check_data(changed, 0, perplexity)
    result = explore(changed, 0, perplexity, seed=0, steps=Steps())
    description = report.describe(result)
    for fact in facts:
        assert fact in description
    assert "nan" not in description.lower()
    assert np.isfinite(list(report.metrics(result).values())).all()
    files = report.files(result)
    audit = json.loads(files[names.TABLE_AUDIT], parse_constant=pytest.fail)
    assert sum(name.endswith(".png") for name in files) == 9
    if change is planted:
        exact = audit["exact_duplicates"]
        assert exact["train_rows_equal_to_an_earlier_one"] == [1, 11]
        assert exact["test_rows_equal_to_an_earlier_one"] == [7]
        assert exact["train_rows_equal_to_a_test_row"] == [2, 10, 11]
        assert exact["test_rows_equal_to_a_train_row"] == [5, 20]
        assert audit["near_duplicates"]["train_rows"] == [3]
        assert audit["near_duplicates"]["test_rows"] == [9]
        assert audit["splits"]["train"]["blank_rows"] == [10, 11]
        assert audit["splits"]["train"]["constant_rows"] == [12]
        assert report.metrics(result)[names.LABEL_CONFLICTS] >= 2


@pytest.mark.parametrize(
    ("change", "rows", "perplexity", "message"),
    [
        (None, 0, 267, "perplexity=267: expected at least 802 images"),
        (None, 92, 30.5, "perplexity=30.5: expected at least 93 images"),
        (None, 3, 1, "got 3; use more images"),
        (None, 50, 30, "perplexity=30: expected at least 91 images"),
        (None, 801, 30, "tsne_rows=801: expected at most 800"),
        (one_per_class, 0, 30, "got 20; use a perplexity of at most 6, or more images"),
    ],
)
def test_unsuitable_options_are_rejected(
    data: FashionMNIST, change: Change | None, rows: int, perplexity: float, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        check_data(change(data) if change else data, rows, perplexity)
    check_data(data, 93, 30.5)


def test_equal_training_images_are_rejected(data: FashionMNIST) -> None:
    equal = Split(np.full_like(data.train.images, 7), data.train.labels)
    with pytest.raises(BadInput, match="got 600 equal ones"):
        check_data(replace(data, train=equal), 0, 10)
