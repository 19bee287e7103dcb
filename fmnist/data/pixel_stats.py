"""First and second moments of all pixels, gathered in one pass over the images.

Correlation and principal components both follow from them without looking at an image again.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]

_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class Moments:
    """What one pass over n images of p pixels leaves behind; exact, for the sums are of integers.

    Args:
        rows: n.
        mean: (p,) float64, the mean of each pixel.
        covariance: (p, p) float64, over n (not n - 1).
        constant: (p,) bool, pixels that have one value in all images.
    """

    rows: int
    mean: Floats
    covariance: Floats
    constant: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Components:
    """The principal components of pixels, those of the largest variance first.

    Args:
        mean: (p,) float64, subtracted before projecting.
        axes: (p, p) float64, orthonormal, one component a column; the entry of largest size in
            each is positive, so that the same data give the same signs everywhere.
        shares: (p,) float64, each component's share of the total variance; they sum to 1.
    """

    mean: Floats
    axes: Floats
    shares: Floats

    def project(self, images: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.float32]:
        """(n, count) float32, the first scores of images (n, ...) uint8 of p pixels each."""
        axes = self.axes[:, :count].astype(np.float32)
        flat = images.reshape(len(images), -1)
        scores = np.empty((len(flat), axes.shape[1]), np.float32)
        mean = self.mean.astype(np.float32)
        for start in range(0, len(flat), _BLOCK):
            block = slice(start, start + _BLOCK)
            scores[block] = (flat[block].astype(np.float32) - mean) @ axes
        return scores


# One thread: for matrices of this size two gain little on a free machine, and on a busy one they
# wait for each other longer than the work takes (the components: more than ten times as long).
@threadpool_limits.wrap(limits=1, user_api="blas")
def moments(images: npt.NDArray[np.uint8]) -> Moments:
    """The moments of the pixels of images (n, ...) uint8."""
    flat = images.reshape(len(images), -1)
    pixels = flat.shape[1]
    sums = np.zeros(pixels)
    products = np.zeros((pixels, pixels))
    low, high = flat[0].copy(), flat[0].copy()
    for start in range(0, len(flat), _BLOCK):
        block = flat[start : start + _BLOCK]
        np.minimum(low, block.min(axis=0), out=low)
        np.maximum(high, block.max(axis=0), out=high)
        # Every sum stays a whole number far below 2**53: no rounding before the division.
        values = block.astype(np.float64)
        sums += values.sum(axis=0)
        products += values.T @ values
    count = len(flat)
    # Whole numbers again, so that pixels of small variance lose nothing in the difference.
    covariance = (products * count - np.outer(sums, sums)) / count**2
    return Moments(count, sums / count, covariance, low == high)


def correlation(of: Moments) -> Floats:
    """(p, p) float64 Pearson correlations, -1 to 1; NaN where a pixel is constant.

    A constant pixel has no correlation: it is marked, and whoever draws or writes it says so.
    """
    spread = np.sqrt(np.where(of.constant, 1.0, np.diag(of.covariance)))
    table = (of.covariance / np.outer(spread, spread)).clip(-1, 1)
    table[of.constant] = np.nan
    table[:, of.constant] = np.nan
    np.fill_diagonal(table, np.where(of.constant, np.nan, 1.0))
    return table


@threadpool_limits.wrap(limits=1, user_api="blas")
def components(of: Moments) -> Components:
    """The principal components that follow from the moments.

    Raises:
        ValueError: no pixel varies.
    """
    if of.constant.all():
        raise ValueError("wanted pixels that vary, got images that are all the same")
    variances, axes = np.linalg.eigh(of.covariance)
    variances, axes = variances[::-1].clip(min=0), axes[:, ::-1]
    largest = np.abs(axes).argmax(axis=0)
    signs = np.sign(axes[largest, np.arange(axes.shape[1])])
    return Components(of.mean, axes * signs, variances / variances.sum())
