import numpy as np

from fmnist.data.dataset import Split
from fmnist.data.duplicates import first_occurrences, repeats


def split(contents: list[int], labels: list[int]) -> Split:
    """One image a number: equal numbers are equal images, others differ in one pixel only."""
    images = np.full((len(contents), 28, 28), 7, np.uint8)
    images[:, 13, 5] = contents
    return Split(images, np.array(labels, np.uint8))


def test_each_kind_of_repeat_is_found() -> None:
    train = split([1, 2, 1, 3, 1, 4], [0, 1, 0, 3, 5, 4])
    test = split([9, 4, 8, 8, 1], [0, 6, 2, 2, 0])
    found = repeats(train, test)
    assert found.train.tolist() == [2, 4]
    assert found.test.tolist() == [3]
    assert found.leaked.tolist() == [0, 2, 4, 5]
    assert found.shown.tolist() == [1, 4]
    # Of content 1 four rows, one of them labeled otherwise; of content 4 two.
    assert found.conflicting == 6


def test_a_test_image_twice_in_both_splits_is_told_as_both() -> None:
    found = repeats(split([1, 2], [0, 0]), split([1, 1], [0, 0]))
    assert found.test.tolist() == [1]
    assert found.shown.tolist() == [0, 1]
    assert found.conflicting == 0


def test_first_occurrences_are_those_of_a_slow_search() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(2, size=(400, 2, 4), dtype=np.uint8)
    wanted = [
        next(other for other in range(400) if (images[other] == images[row]).all())
        for row in range(400)
    ]
    assert first_occurrences(images).tolist() == wanted
    assert first_occurrences(images[:, :, ::2]).tolist() != list(range(400))


def test_images_all_different_repeat_nothing() -> None:
    found = repeats(split([0, 1, 2], [0, 0, 0]), split([3, 4], [0, 0]))
    assert not any(map(len, (found.train, found.test, found.leaked, found.shown)))
    assert found.conflicting == 0
