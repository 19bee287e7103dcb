import numpy as np
import pytest

from fmnist.eda.pixel_correlation import adjacent, by_distance


def test_pairs_are_counted_by_their_distance() -> None:
    # Pixels of a 2 x 2 square: four pairs side by side, two across (1.41, rounded to 1).
    table = np.array(
        [[1, 0.5, 0.4, 0.1], [0.5, 1, 0.2, 0.3], [0.4, 0.2, 1, 0.6], [0.1, 0.3, 0.6, 1]]
    )
    found = by_distance(table)
    assert found.distances.tolist() == [1]
    assert found.pairs.tolist() == [6]
    assert found.means[0] == pytest.approx((0.5 + 0.4 + 0.1 + 0.2 + 0.3 + 0.6) / 6)
    assert adjacent(table) == pytest.approx((0.5 + 0.4 + 0.3 + 0.6) / 4)


def test_every_pair_of_the_square_is_counted_once() -> None:
    found = by_distance(np.eye(784))
    assert found.pairs.sum() == 784 * 783 // 2
    assert found.distances[-1] == 38
    assert np.abs(found.means).max() == 0


def test_constant_pixels_are_left_out() -> None:
    table = np.full((9, 9), 0.25)
    table[4] = table[:, 4] = np.nan
    found = by_distance(table)
    assert found.pairs.sum() == 8 * 7 // 2
    assert found.means.tolist() == [0.25] * len(found.means)
    assert adjacent(table) == 0.25


def test_nothing_varies() -> None:
    nothing = np.full((9, 9), np.nan)
    assert len(by_distance(nothing).distances) == 0
    assert adjacent(nothing) is None
