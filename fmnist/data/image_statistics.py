"""What training images look like: to prepare photos alike, and to detect images unlike them.

The distance of an image is its smallest squared Mahalanobis distance to the mean of a class, with
one covariance for all classes (Lee, Lee, Lee and Shin, "A simple unified framework for detecting
out-of-distribution samples and adversarial attacks", 2018, applied to pixels at half resolution).
"""

import io
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from fmnist.data.dataset import Split
from fmnist.data.idx import SIDE, Bytes
from fmnist.errors import BadInput

Floats = npt.NDArray[np.float64]

_ROWS: Final = 10_000  # evenly spaced training images; more of them detected no more photos
_CELLS: Final = SIDE // 2
_LENGTH: Final = 1500.0  # of the vector of 196 values; typical of Fashion-MNIST
_NOISE: Final = 25.0  # variance added to each value, so that constant pixels count little
_QUANTILE: Final = 0.99
_VISIBLE: Final = 32  # smallest difference to the background that counts as part of an object
_MAX_BYTES: Final = 2_000_000


@dataclass(frozen=True, eq=False)
class ImageStatistics:
    """Statistics of training images.

    Args:
        projection: (196, 196), transforms pixels to uncorrelated values of variance 1.
        class_means: (k, 196), transformed mean of each class with images.
        limit: distance that 1 % of the training images exceed.
        background: median value of the pixels at the edge of the images, 0 to 255.
        object_side: median of the longer side of the objects in pixels, 1 to 28.
    """

    projection: Floats
    class_means: Floats
    limit: float
    background: int
    object_side: int

    @classmethod
    def fit(cls, split: Split) -> Self:
        """Compute the statistics of up to 10,000 images; half of them determine the limit."""
        rows = np.unique(np.linspace(0, len(split) - 1, min(len(split), _ROWS)).astype(np.int64))
        fitted, held_out = (rows[::2], rows[1::2]) if len(rows) > 1 else (rows, rows)
        images, labels = split.images[fitted], split.labels[fitted]
        pixels = _shrink(images)
        present, index = np.unique(labels, return_inverse=True)
        means = np.stack([pixels[labels == label].mean(axis=0) for label in present])
        residuals = pixels - means[index]
        covariance = residuals.T @ residuals / len(pixels) + _NOISE * np.eye(pixels.shape[1])
        projection = np.linalg.cholesky(np.linalg.inv(covariance))
        edge = np.ones((SIDE, SIDE), bool)
        edge[1:-1, 1:-1] = False
        background = int(np.median(images[:, edge]))
        object_side = _median_side(images, background)
        statistics = cls(projection, means @ projection, 0.0, background, object_side)
        distances = statistics.distances(split.images[held_out])
        return replace(statistics, limit=float(np.quantile(distances, _QUANTILE)))

    def distances(self, images: Bytes) -> Floats:
        """Return the distance (n,) of images (n, 28, 28) to the training images."""
        values = _shrink(images) @ self.projection
        distances = [np.square(values - mean).sum(axis=1) for mean in self.class_means]
        return np.min(distances, axis=0)

    def to_bytes(self) -> bytes:
        """Encode as an `.npz` file without pickle."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: np.float32(value) for name, value in vars(self).items()}
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Decode a file of `to_bytes`.

        Raises:
            BadInput: the content is not such a file.
        """
        try:
            if len(content) > _MAX_BYTES:
                raise ValueError(f"{len(content):,} bytes")
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                projection, class_means, *values = (
                    file[name].astype(np.float64) for name in cls.__dataclass_fields__
                )
            if projection.shape != (_CELLS**2, _CELLS**2) or class_means.shape[1:] != (_CELLS**2,):
                raise ValueError("arrays of other shapes")
            limit, background, object_side = map(float, values)
        except (KeyError, OSError, TypeError, ValueError, EOFError) as error:
            raise BadInput(
                f"the model's statistics of its training images are damaged: {error}; train again"
            ) from error
        return cls(projection, class_means, limit, int(background), int(object_side))


def _shrink(images: Bytes) -> Floats:
    """Mean of each block of 2 x 2 pixels at equal overall brightness, (n, 196).

    Without the brightness, dark images with few details would be near every class: of 48 photos of
    other things, 27 % instead of 81 % were detected.
    """
    blocks = images.reshape(len(images), _CELLS, 2, _CELLS, 2)
    values = blocks.mean(axis=(2, 4)).reshape(len(images), -1)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return _LENGTH * values / np.maximum(lengths, 1.0)


def _median_side(images: Bytes, background: int) -> int:
    differences = np.abs(images.astype(np.int16) - background)
    sides = []
    for axis in (1, 2):
        used = differences.max(axis=axis) > _VISIBLE
        first, last = used.argmax(axis=1), SIDE - 1 - used[:, ::-1].argmax(axis=1)
        sides.append(np.where(used.any(axis=1), last - first + 1, SIDE))
    return int(np.median(np.max(sides, axis=0)))
