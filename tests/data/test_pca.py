import numpy as np
import pytest
from sklearn.decomposition import PCA

from fmnist.data.pca import fit_pca, project


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """5,000 images with correlated pixels, more than one block of rows."""
    rng = np.random.default_rng(3)
    pixels = rng.normal(size=(5000, 784)) @ (rng.normal(size=(784, 784)) / 28)
    return np.clip(128 + 40 * pixels, 0, 255).astype(np.uint8).reshape(5000, 28, 28)


def test_components_agree_with_an_exact_solver(images: np.ndarray) -> None:
    pixels = images.reshape(5000, 784).astype(np.float64)
    pca, exact = fit_pca(images), PCA(svd_solver="full").fit(pixels)
    np.testing.assert_allclose(
        pca.explained_variance_ratio_, exact.explained_variance_ratio_, rtol=1e-3, atol=1e-7
    )
    scores = project(pca, images, components=5)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, exact.transform(pixels)[:, :5], atol=0.5)


def test_signs_do_not_depend_on_the_solver(images: np.ndarray) -> None:
    components = fit_pca(images).components_
    assert (components[np.arange(784), np.abs(components).argmax(axis=1)] > 0).all()
