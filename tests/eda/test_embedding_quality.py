import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from fmnist.eda.embedding_quality import agreement, quality


def test_agreement_worked_out_by_hand() -> None:
    points = np.array([[0.0], [1], [2.1], [10], [11.2]], np.float32)
    labels = np.array([0, 0, 1, 1, 1], np.uint8)
    # The nearest of 0 is 1, of 1 is 0, of 2 is 1 (another label), of 3 is 4, of 4 is 3.
    assert agreement(points, labels, np.arange(5), 1) == pytest.approx(4 / 5)


def test_quality_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(200, 28, 28), dtype=np.uint8)
    points = images[:, :2, 0].astype(np.float32)
    labels = rng.integers(10, size=200, dtype=np.uint8)
    found = quality(images, labels, points, seed=0)
    wanted = trustworthiness(images.reshape(200, -1).astype(float), points, n_neighbors=10)
    assert found.trustworthiness == pytest.approx(wanted)
    assert found.rows == 200
    assert found.neighbors == 10
    assert found.plane_agreement < 0.3


def test_four_images_are_enough() -> None:
    images = np.random.default_rng(0).integers(256, size=(4, 28, 28), dtype=np.uint8)
    found = quality(images, np.arange(4, dtype=np.uint8), images[:, 0, :2].astype(np.float32), 0)
    assert found.neighbors == 3
    assert found.plane_agreement == 0
    assert 0 <= found.trustworthiness <= 1
