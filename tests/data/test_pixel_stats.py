import numpy as np
import pytest
from sklearn.decomposition import PCA

from fmnist.data.idx import Bytes
from fmnist.data.pixel_stats import components, correlation, moments


@pytest.fixture
def images() -> Bytes:
    """5,000 images of 6 x 7 pixels that depend on each other: more than two blocks of rows."""
    rng = np.random.default_rng(3)
    mixed = rng.normal(size=(5000, 42)) @ rng.normal(size=(42, 42))
    return np.clip(128 + 10 * mixed, 0, 255).astype(np.uint8).reshape(5000, 6, 7)


def test_moments_are_those_of_numpy(images: Bytes) -> None:
    found = moments(images)
    flat = images.reshape(5000, 42).astype(np.float64)
    np.testing.assert_allclose(found.mean, flat.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(flat.T, bias=True), rtol=1e-9)
    assert found.rows == 5000
    assert not found.constant.any()


def test_correlations_are_those_of_numpy(images: Bytes) -> None:
    flat = images.reshape(5000, 42)
    np.testing.assert_allclose(correlation(moments(images)), np.corrcoef(flat.T), atol=1e-12)


def test_constant_pixels_have_no_correlation_and_disturb_no_other(images: Bytes) -> None:
    changed = images.copy()
    changed[:, 0, 0] = 0
    changed[:, 2, 3] = 200
    found = correlation(moments(changed))
    constant = [0, 2 * 7 + 3]
    varying = np.setdiff1d(np.arange(42), constant)
    assert np.isnan(found[constant]).all()
    assert np.isnan(found[:, constant]).all()
    wanted = np.corrcoef(changed.reshape(5000, 42)[:, varying].T)
    np.testing.assert_allclose(found[np.ix_(varying, varying)], wanted, atol=1e-12)


def test_a_pixel_that_differs_once_among_thousands_is_exact(images: Bytes) -> None:
    changed = images.copy()
    changed[:, 1, 1] = 255
    changed[77, 1, 1] = 254
    found = moments(changed)
    assert not found.constant[8]
    assert found.covariance[8, 8] == pytest.approx((1 / 5000) * (4999 / 5000), rel=1e-9)


def test_components_are_those_of_scikit_learn(images: Bytes) -> None:
    flat = images.reshape(5000, 42)
    found, wanted = components(moments(images)), PCA().fit(flat)
    np.testing.assert_allclose(found.shares, wanted.explained_variance_ratio_, rtol=1e-8)
    alike = np.abs(np.sum(found.axes * wanted.components_.T, axis=0))
    np.testing.assert_allclose(alike, 1, rtol=1e-8)
    scores, theirs = found.project(images, 5), wanted.transform(flat)[:, :5]
    assert scores.dtype == np.float32
    np.testing.assert_allclose(np.abs(scores), np.abs(theirs), atol=1e-2)


def test_signs_do_not_depend_on_the_solver(images: Bytes) -> None:
    axes = components(moments(images)).axes
    assert (axes[np.abs(axes).argmax(axis=0), np.arange(42)] > 0).all()


def test_images_that_are_all_the_same_have_no_components() -> None:
    with pytest.raises(ValueError, match="all the same"):
        components(moments(np.full((5, 4, 4), 9, np.uint8)))
