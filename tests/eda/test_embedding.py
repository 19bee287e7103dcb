import multiprocessing
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.manifold import trustworthiness

from fmnist.eda.embedding import (
    compute_correlations,
    compute_tsne,
    fit_tsne,
    label_agreement,
    mean_adjacent,
    measure_quality,
    summarize_by_distance,
)
from fmnist.errors import WorkFailed


def test_correlations_agree_with_numpy_and_are_missing_for_constant_pixels() -> None:
    images = np.random.default_rng(0).integers(256, size=(200, 28, 28), dtype=np.uint8)
    images[:, 0, 0], images[:, 2, 3] = 0, 200
    images[:, 1, 1] = 255
    images[77, 1, 1] = 254  # varies
    correlations = compute_correlations(images)
    constant = [0, 2 * 28 + 3]
    varying = np.setdiff1d(np.arange(784), constant)
    assert np.isnan(correlations[constant]).all()
    assert np.isnan(correlations[:, constant]).all()
    expected = np.corrcoef(images.reshape(200, 784)[:, varying].T)
    np.testing.assert_allclose(correlations[np.ix_(varying, varying)], expected, atol=1e-12)


def test_correlations_are_summarized_by_distance() -> None:
    # In a 2 x 2 image, four pairs are adjacent and two are diagonal (1.41, rounded to 1).
    correlations = np.array(
        [[1, 0.5, 0.4, 0.1], [0.5, 1, 0.2, 0.3], [0.4, 0.2, 1, 0.6], [0.1, 0.3, 0.6, 1]]
    )
    table = summarize_by_distance(correlations)
    assert table["distance"].tolist() == [1]
    assert table["pairs"].tolist() == [6]
    assert table["mean"][0] == pytest.approx((0.5 + 0.4 + 0.1 + 0.2 + 0.3 + 0.6) / 6)
    assert mean_adjacent(correlations) == pytest.approx((0.5 + 0.4 + 0.3 + 0.6) / 4)


def test_each_pair_of_varying_pixels_is_counted_once() -> None:
    table = summarize_by_distance(np.eye(784))
    assert table["pairs"].sum() == 784 * 783 // 2
    assert table["distance"].iloc[-1] == 38
    assert table["mean"].abs().max() == 0
    correlations = np.full((9, 9), 0.25)
    correlations[4] = correlations[:, 4] = np.nan
    table = summarize_by_distance(correlations)
    assert table["pairs"].sum() == 8 * 7 // 2
    assert set(table["mean"]) == {0.25}
    assert mean_adjacent(correlations) == 0.25
    correlations[:] = np.nan
    assert len(summarize_by_distance(correlations)) == 0
    assert mean_adjacent(correlations) is None


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    """Principal components (300, 20) of five clusters."""
    points, _ = make_blobs(300, n_features=20, centers=5, cluster_std=4, random_state=0)
    points -= points.mean(axis=0)
    return (points @ np.linalg.svd(points, full_matrices=False)[2].T).astype(np.float32)


def test_tsne_preserves_neighbors_and_depends_only_on_the_seed(blobs: np.ndarray) -> None:
    result = compute_tsne(blobs, perplexity=15, seed=0)
    assert result.points.shape == (300, 2)
    assert result.points.dtype == np.float32
    assert 250 < result.iterations <= 1000
    assert trustworthiness(blobs, result.points, n_neighbors=10) > 0.9
    assert 0 < result.kl_divergence < 2
    again = fit_tsne(blobs, perplexity=15, seed=0)
    assert np.array_equal(again.points, result.points)


@pytest.mark.slow
def test_tsne_works_without_scikit_learn_intelex(
    blobs: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearnex.manifold", None)
    result = fit_tsne(blobs[:150], perplexity=15, seed=0)
    assert trustworthiness(blobs[:150], result.points, n_neighbors=10) > 0.9
    assert np.isfinite(result.kl_divergence)


def test_tsne_of_equal_points_is_finite() -> None:
    points = np.zeros((60, 5), np.float32)
    points[40:] = np.random.default_rng(0).normal(size=(20, 5))
    result = fit_tsne(points, perplexity=5, seed=0)
    assert np.isfinite(result.points).all()
    assert np.isfinite(result.kl_divergence)


def wait_for_child() -> int:
    for _ in range(6000):
        if children := multiprocessing.active_children():
            return int(children[0].pid or 0)
        time.sleep(0.05)
    raise AssertionError("no child process")


@pytest.mark.faults
def test_tsne_is_interrupted_by_a_signal(blobs: np.ndarray) -> None:
    """SIGTERM takes effect although the library does not return to Python meanwhile."""
    large = np.tile(blobs, (140, 1))  # takes minutes
    large += np.random.default_rng(0).normal(size=large.shape).astype(np.float32)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    children = []

    def interrupt() -> None:
        children.append(wait_for_child())
        os.kill(os.getpid(), signal.SIGTERM)

    previous = signal.signal(signal.SIGTERM, stop)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            compute_tsne(large, perplexity=30, seed=0)
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, previous)
    with pytest.raises(ProcessLookupError):
        os.kill(children[0], 0)


@pytest.mark.faults
def test_killed_tsne_process_is_reported(blobs: np.ndarray) -> None:
    thread = threading.Thread(target=lambda: os.kill(wait_for_child(), signal.SIGKILL))
    thread.start()
    with pytest.raises(WorkFailed, match=r"t-SNE process .* exit code -9"):
        compute_tsne(blobs, perplexity=30, seed=0)
    thread.join()


def test_neighbors_with_the_same_label_are_counted() -> None:
    points = np.array([[0.0], [1], [2.1], [10], [11.2]], np.float32)
    labels = np.array([0, 0, 1, 1, 1], np.uint8)
    # The nearest neighbor of 2.1 is 1, which has another label.
    assert label_agreement(points, labels, np.arange(5), 1) == pytest.approx(4 / 5)
    for dimensions in (2, 40):  # a point with copies is not its own neighbor
        points = np.zeros((50, dimensions), np.float32)
        assert label_agreement(points, np.arange(50, dtype=np.uint8), np.arange(50), 5) == 0


def test_quality_of_four_points() -> None:
    images = np.random.default_rng(0).integers(256, size=(4, 28, 28), dtype=np.uint8)
    points = images[:, :2, 0].astype(np.float32)
    quality = measure_quality(images, np.arange(4, dtype=np.uint8), points, seed=0)
    assert (quality.rows, quality.neighbors, quality.embedding_agreement) == (4, 3, 0)
    assert 0 <= quality.trustworthiness <= 1
