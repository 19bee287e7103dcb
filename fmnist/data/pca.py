"""Principal components of the training images."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from fmnist.data.idx import Bytes

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

_BLOCK = 4096  # images


def fit_pca(images: Bytes) -> "PCA":
    """Fit all principal components to the pixels of images (n, 28, 28)."""
    from sklearn.decomposition import PCA

    pixels = images.reshape(len(images), -1).astype(np.float32)
    # A second thread saves no time, and takes three times the processor time on a busy machine.
    with threadpool_limits(1, user_api="blas"):
        return PCA(svd_solver="covariance_eigh").fit(pixels)


def project(pca: "PCA", images: Bytes, components: int = 50) -> npt.NDArray[np.float32]:
    """Return the scores (n, components) of images (n, 28, 28) on the first components."""
    pixels = images.reshape(len(images), -1)
    axes = pca.components_[:components].T
    # In blocks, because all images as float32 take four times their memory.
    blocks = [
        (pixels[start : start + _BLOCK].astype(np.float32) - pca.mean_) @ axes
        for start in range(0, len(pixels), _BLOCK)
    ]
    return np.concatenate(blocks)
