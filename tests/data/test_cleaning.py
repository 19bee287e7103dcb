from pathlib import Path

import numpy as np

from fmnist import names
from fmnist.data import cleaning, dataset
from fmnist.data.dataset import Split
from fmnist.options.train import FitOptions


def planted(small_data_dir: Path) -> tuple[Split, Split]:
    """Row 1 repeats row 0, rows 2 and 3 are test rows, 4 and 5 nearly so; 3 repeats 2 as well."""
    data = dataset.load(str(small_data_dir), "auto")
    images = data.train.images.copy()
    images[1] = images[0]
    images[2] = images[3] = data.test.images[7]
    images[4] = data.test.images[8] ^ 1
    images[5] = data.test.images[9] ^ 1
    return Split(images, data.train.labels), data.test


def test_every_kind_is_dropped_and_counted_once(small_data_dir: Path) -> None:
    train, test = planted(small_data_dir)
    kept = cleaning.training_rows(train, test, drop_duplicates=True)
    assert np.setdiff1d(np.arange(600), kept.rows).tolist() == [1, 2, 3, 4, 5]
    assert kept.counts == {
        names.DROPPED_ROWS: 5,
        names.DROPPED_REPEATS: 2,
        names.DROPPED_TEST_COPIES: 1,
        names.DROPPED_NEAR_TEST_COPIES: 2,
    }
    assert (np.diff(kept.rows) > 0).all()


def test_nothing_is_dropped_unasked(small_data_dir: Path) -> None:
    kept = cleaning.training_rows(*planted(small_data_dir), drop_duplicates=False)
    assert kept.rows.tolist() == list(range(600))
    assert kept.counts == {}


def test_images_all_the_same_leave_none_that_the_test_shows() -> None:
    same = Split(np.zeros((4, 28, 28), np.uint8), np.zeros(4, np.uint8))
    other = Split(np.ones((4, 28, 28), np.uint8), np.zeros(4, np.uint8))
    assert cleaning.training_rows(same, same, True).rows.tolist() == []
    assert cleaning.training_rows(same, other, True).rows.tolist() == [0]


def test_a_subset_is_drawn_of_what_remains_and_numbered_as_in_the_file(
    small_data_dir: Path,
) -> None:
    train, test = planted(small_data_dir)

    def select(seed: int) -> cleaning.TrainingRows:
        options = FitOptions(drop_duplicates="on", train_size=100, seed=seed)
        return cleaning.select_training_rows(options, train, test)

    selected = select(seed=3)
    numbers = selected.numbers
    assert len(set(numbers.tolist())) == 100
    assert not set(numbers.tolist()) & {1, 2, 3, 4, 5}
    assert np.bincount(selected.split.labels).tolist() == [10] * 10
    assert np.array_equal(selected.split.images, train.images[numbers])
    assert selected.dropped[names.DROPPED_ROWS] == 5
    assert np.array_equal(numbers, select(seed=3).numbers)
    assert not np.array_equal(numbers, select(seed=4).numbers)
