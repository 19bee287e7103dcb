import numpy as np
import pytest
from skimage.metrics import structural_similarity

from fmnist import names
from fmnist.data import duplicates
from fmnist.data.dataset import FashionMNIST, Split
from fmnist.data.duplicates import (
    drop_duplicates,
    find_exact_duplicates,
    find_near_duplicates,
    first_occurrences,
    select_training_rows,
)
from fmnist.data.pca import fit_pca
from fmnist.options.train import FitOptions
from fmnist.results.eda import NearDuplicates


def split(contents: list[int], labels: list[int]) -> Split:
    """Images that are equal if their numbers in `contents` are; others differ in one pixel."""
    images = np.full((len(contents), 28, 28), 7, np.uint8)
    images[:, 13, 5] = contents
    return Split(images, np.array(labels, np.uint8))


def test_exact_duplicates_within_and_across_splits() -> None:
    train = split([1, 2, 1, 3, 1, 4], [0, 1, 0, 3, 5, 4])
    test = split([9, 4, 8, 8, 1], [0, 6, 2, 2, 0])
    result = find_exact_duplicates(train, test)
    assert result.train.tolist() == [2, 4]
    assert result.test.tolist() == [3]
    assert result.train_in_test.tolist() == [0, 2, 4, 5]
    assert result.test_in_train.tolist() == [1, 4]
    # Content 1 has four rows, one of them with another label, and content 4 has two.
    assert result.label_conflicts == 6
    # An image that is twice in the test split and once in the training split counts for both.
    result = find_exact_duplicates(split([1, 2], [0, 0]), split([1, 1], [0, 0]))
    assert result.test.tolist() == [1]
    assert result.test_in_train.tolist() == [0, 1]
    assert result.label_conflicts == 0


def test_first_occurrences_agree_with_numpy() -> None:
    images = np.random.default_rng(0).integers(2, size=(400, 2, 4), dtype=np.uint8)
    _, first, inverse = np.unique(
        images.reshape(400, 8), axis=0, return_index=True, return_inverse=True
    )
    assert first_occurrences(images).tolist() == first[inverse].tolist()


@pytest.fixture(scope="module")
def noisy(data: FashionMNIST) -> tuple[Split, Split]:
    """Training images that are test images with increasing noise, unchanged, and darker."""
    images = data.train.images.copy()
    rng = np.random.default_rng(1)
    for row, amount in enumerate((1, 2, 4, 8, 16, 32, 64)):
        noise = rng.integers(-amount, amount + 1, size=(28, 28))
        images[10 * row] = np.clip(data.test.images[row] + noise, 0, 255)
    images[100] = data.test.images[50]
    images[200] = data.test.images[55] * 0.86
    return Split(images, data.train.labels), data.test


def search(train: Split, test: Split) -> NearDuplicates:
    return find_near_duplicates(train, test, fit_pca(train.images))


def test_near_duplicates_agree_with_exhaustive_search(noisy: tuple[Split, Split]) -> None:
    train, test = noisy
    expected = {}
    for row, image in enumerate(test.images[:60].astype(np.float64)):
        differences = ((train.images - image) ** 2).sum(axis=(1, 2))
        limit = duplicates.MAX_DIFFERENCE * (image**2).sum()
        for match in np.flatnonzero((differences <= limit) & (differences > 0)):
            similarity = structural_similarity(
                test.images[row], train.images[match], data_range=255
            )
            if similarity >= duplicates.MIN_SIMILARITY:
                expected[row, int(match)] = pytest.approx(similarity, abs=1e-9)
    fractions: list[float] = []
    result = find_near_duplicates(train, test, fit_pca(train.images), fractions.append)
    pairs = result.pairs.set_index(["test_index", "train_index"])
    assert pairs["structural_similarity"].to_dict() == expected
    assert len(expected) >= 4
    assert (55, 200) in expected
    assert (50, 100) not in expected  # an exact duplicate
    assert pairs["structural_similarity"].is_monotonic_decreasing
    assert pairs["train_label"].loc[55, 200] == train.labels[200]
    assert pairs["test_label"].loc[55, 200] == test.labels[55]
    assert result.pairs_compared >= len(pairs)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_different_images_are_not_near_duplicates(data: FashionMNIST) -> None:
    pairs = search(data.train, data.test).pairs
    assert len(pairs) == 0
    assert pairs["structural_similarity"].dtype == np.float64


def test_similar_images_are_searched_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MAX_CANDIDATES", 5)
    images = np.zeros((300, 28, 28), np.uint8)
    images[100:] = 200
    images[100:, 14, 14] = np.random.default_rng(0).integers(256, size=200)
    train = Split(images, np.zeros(300, np.uint8))
    test = train.take(np.arange(0, 300, 3))
    result = search(train, test)
    assert result.pairs_compared <= 5 * len(test)
    assert np.isfinite(result.pairs["structural_similarity"]).all()


@pytest.fixture(scope="module")
def planted(data: FashionMNIST) -> tuple[Split, Split]:
    """Row 1 repeats row 0, rows 2 and 3 equal a test row, rows 4 and 5 nearly equal one."""
    images = data.train.images.copy()
    images[1] = images[0]
    images[2] = images[3] = data.test.images[7]
    images[4] = data.test.images[8] ^ 1
    images[5] = data.test.images[9] ^ 1
    return Split(images, data.train.labels), data.test


def test_each_dropped_row_is_counted_once(planted: tuple[Split, Split]) -> None:
    rows, counts = drop_duplicates(*planted)
    assert np.setdiff1d(np.arange(600), rows).tolist() == [1, 2, 3, 4, 5]
    assert (np.diff(rows) > 0).all()
    assert counts == {
        names.DROPPED_ROWS: 5,
        names.DROPPED_REPEATS: 2,
        names.DROPPED_TEST_COPIES: 1,
        names.DROPPED_NEAR_TEST_COPIES: 2,
    }


def test_equal_training_images_are_dropped() -> None:
    black = Split(np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.uint8))
    other = Split(np.ones((4, 28, 28), np.uint8), np.zeros(4, np.uint8))
    assert drop_duplicates(black, black)[0].tolist() == []
    assert drop_duplicates(black, other)[0].tolist() == [0]


def test_subset_is_drawn_from_the_rows_without_duplicates(planted: tuple[Split, Split]) -> None:
    train, test = planted
    options = FitOptions(drop_duplicates="on", train_size=100, split_seed=3)
    selected = select_training_rows(options, train, test)
    assert len(set(selected.numbers.tolist())) == 100
    assert not set(selected.numbers.tolist()) & {1, 2, 3, 4, 5}
    assert np.bincount(selected.split.labels).tolist() == [10] * 10
    assert np.array_equal(selected.split.images, train.images[selected.numbers])
    assert selected.dropped[names.DROPPED_ROWS] == 5
    other = select_training_rows(options.model_copy(update={"split_seed": 4}), train, test)
    assert not np.array_equal(selected.numbers, other.numbers)
    all_rows = select_training_rows(FitOptions(), train, test)
    assert all_rows.split is train
    assert all_rows.dropped == {}
