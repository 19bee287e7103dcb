from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from openTSNE import affinity, nearest_neighbors
from sklearn.datasets import make_blobs
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from fmnist.eda import tsne
from fmnist.eda.neighbors import nearest
from fmnist.errors import BadInput
from fmnist.results.eda import Layout

PERPLEXITY = 15.0


@pytest.fixture(scope="module")
def blobs() -> npt.NDArray[np.float32]:
    """(700, 20) five clouds, the directions of largest spread first."""
    points, _ = make_blobs(700, n_features=20, centers=5, cluster_std=4, random_state=0)
    points -= points.mean(axis=0)
    return (points @ np.linalg.svd(points, full_matrices=False)[2].T).astype(np.float32)


@pytest.fixture(scope="module")
def lay_out(blobs: npt.NDArray[np.float32]) -> Callable[[], Layout]:
    neighbors, distances = nearest(blobs, tsne.neighbors_needed(PERPLEXITY, len(blobs)))
    return lambda: tsne.tsne(blobs[:, :2], neighbors, distances, PERPLEXITY, threads=1)


@pytest.fixture(scope="module")
def layout(lay_out: Callable[[], Layout]) -> Layout:
    return lay_out()


def divergence(blobs: npt.NDArray[np.float32], points: npt.NDArray[np.float32]) -> float:
    """The Kullback-Leibler divergence by its definition, over all pairs."""
    neighbors, distances = nearest(blobs, 45)
    index = nearest_neighbors.PrecomputedNeighbors(neighbors, distances)
    p = affinity.PerplexityBasedNN(perplexity=PERPLEXITY, knn_index=index).P.toarray()
    apart = points[:, None].astype(np.float64) - points
    q = 1 / (1 + (apart**2).sum(axis=2))
    np.fill_diagonal(q, 0)
    q /= q.sum()
    near = p > 0
    return float((p[near] * np.log(p[near] / q[near])).sum())


def test_the_divergence_told_is_that_of_the_layout(
    blobs: npt.NDArray[np.float32], layout: Layout
) -> None:
    assert layout.points.shape == (700, 2)
    assert layout.divergence == pytest.approx(divergence(blobs, layout.points), abs=0.003)


def test_the_layout_is_no_worse_than_scikit_learns(
    blobs: npt.NDArray[np.float32], layout: Layout
) -> None:
    with threadpool_limits(1):  # on a busy machine its threads wait for each other
        theirs = TSNE(perplexity=PERPLEXITY, init="pca", random_state=0).fit_transform(blobs)
    # Clouds without any structure inside leave the optimum flat; the benchmark has real images.
    assert divergence(blobs, layout.points) <= 1.03 * divergence(blobs, theirs)


def test_it_stops_when_settled_and_not_before(layout: Layout) -> None:
    steps = [step for step, _ in layout.divergences]
    assert steps == list(range(25, layout.iterations + 1, 25))
    assert 125 <= layout.iterations < tsne.MAX_ITERATIONS
    values = np.array([value for step, value in layout.divergences if step > 100])
    falls = -np.diff(values) / values[:-1]
    assert falls[-1] < tsne.SETTLED
    assert (falls[1:-1] >= tsne.SETTLED).all()


def test_the_same_start_gives_the_same_layout(
    lay_out: Callable[[], Layout], layout: Layout
) -> None:
    assert np.array_equal(lay_out().points, layout.points)


def test_points_on_one_spot_are_laid_out() -> None:
    points = np.zeros((60, 5), np.float32)
    points[40:] = np.random.default_rng(0).normal(size=(20, 5))
    neighbors, distances = nearest(points, 15)
    layout = tsne.tsne(points[:, :2], neighbors, distances, 5.0, threads=1)
    assert np.isfinite(layout.points).all()
    assert np.isfinite(layout.divergence)


@pytest.mark.parametrize(("perplexity", "rows"), [(30, 91), (30.5, 93), (1, 4), (6.6, 21)])
def test_as_many_images_as_needed_are_enough(perplexity: float, rows: int) -> None:
    assert tsne.neighbors_needed(perplexity, rows) == rows - 1
    with pytest.raises(BadInput, match=f"perplexity={perplexity:g}: wanted at least {rows} images"):
        tsne.neighbors_needed(perplexity, rows - 1)


def test_a_perplexity_that_would_do_is_told() -> None:
    with pytest.raises(BadInput, match="got 20; use a perplexity of at most 6 or more images"):
        tsne.neighbors_needed(30, 20)
    tsne.neighbors_needed(6, 20)
    with pytest.raises(BadInput, match="got 3; use more images"):
        tsne.neighbors_needed(1, 3)
