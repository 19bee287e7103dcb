import numpy as np
import pytest

from fmnist.eda.repulsion import Repulsion
from fmnist.results.eda import Floats


def exact(points: Floats) -> tuple[Floats, float]:
    apart = points[:, None] - points
    q = 1 / (1 + (apart**2).sum(axis=2))
    return (apart * (q**2)[:, :, None]).sum(axis=1), float(q.sum() - len(points))


@pytest.mark.parametrize("spread", [1e-4, 0.3, 5, 40])
def test_forces_are_near_the_exact_ones(spread: float) -> None:
    points = np.random.default_rng(2).normal(scale=(spread, spread / 3), size=(1500, 2))
    forces, total = Repulsion(threads=1)(points)
    wanted, wanted_total = exact(points)
    assert total == pytest.approx(wanted_total, rel=1e-3)
    error = np.sqrt(((forces - wanted) ** 2).sum() / (wanted**2).sum())
    # Points far from each other feel little but the few that are near: the mesh shows.
    assert error < (1e-3 if spread < 5 else 0.08)


def test_a_mesh_once_grown_serves_smaller_layouts_too() -> None:
    points = np.random.default_rng(2).normal(scale=10, size=(500, 2))
    grown = Repulsion(threads=1)
    grown(3 * points)
    for mine, fresh in zip(grown(points), Repulsion(threads=1)(points), strict=True):
        np.testing.assert_allclose(mine, fresh, rtol=1e-3, atol=1e-3)


def test_points_on_one_spot_push_nowhere() -> None:
    forces, total = Repulsion(threads=1)(np.zeros((10, 2)))
    assert np.abs(forces).max() < 1e-6
    assert total == pytest.approx(90)
