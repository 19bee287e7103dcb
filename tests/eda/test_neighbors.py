import numpy as np
import pytest

from fmnist.eda.neighbors import nearest


@pytest.mark.parametrize("dimensions", [2, 40])
def test_neighbors_are_those_of_a_slow_search(dimensions: int) -> None:
    points = np.random.default_rng(0).normal(size=(300, dimensions)).astype(np.float32)
    apart = np.linalg.norm(points[:, None].astype(np.float64) - points, axis=2)
    np.fill_diagonal(apart, np.inf)
    wanted = apart.argsort(axis=1)[:, :7]
    found, distances = nearest(points, 7)
    assert found.tolist() == wanted.tolist()
    np.testing.assert_allclose(distances, np.take_along_axis(apart, wanted, 1), rtol=1e-4)
    rows = np.array([3, 299, 17])
    found, distances = nearest(points, 7, rows)
    assert found.tolist() == wanted[rows].tolist()
    assert distances.shape == (3, 7)


@pytest.mark.parametrize("dimensions", [2, 40])
def test_a_point_with_copies_is_not_its_own_neighbor(dimensions: int) -> None:
    points = np.zeros((50, dimensions), np.float32)
    rows = np.arange(50)
    for found in (nearest(points, 5)[0], nearest(points, 5, rows)[0]):
        assert found.shape == (50, 5)
        assert (found != rows[:, None]).all()
