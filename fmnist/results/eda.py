"""What an exploration of a data set finds: frozen values between the rooms that find and tell."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

VALUES: Final = 256

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SplitAudit:
    """What the images and labels of one split hold; everything else is derived.

    Args:
        histogram: (10, 256) int64, pixels of each class that have each value.
        class_counts: (10,) int64, images of each class.
        blank: (b,) int64, rows whose pixels are all 0.
        constant: (c,) int64, rows whose pixels are all equal, but not 0.
        corners: the median value of the images' four corner pixels, 0 to 255.
    """

    histogram: Rows
    class_counts: Rows
    blank: Rows
    constant: Rows
    corners: float

    @property
    def rows(self) -> int:
        return int(self.class_counts.sum())

    @cached_property
    def mean(self) -> float:
        """Of all pixels, 0 to 255."""
        return _mean(self.histogram.sum(axis=0))

    @cached_property
    def std(self) -> float:
        """Population standard deviation of all pixels."""
        return _std(self.histogram.sum(axis=0))

    @property
    def extremes(self) -> tuple[int, int]:
        """The smallest and the largest pixel value that occurs."""
        values = np.flatnonzero(self.histogram.sum(axis=0))
        return int(values[0]), int(values[-1])

    @property
    def missing_classes(self) -> tuple[int, ...]:
        return tuple(int(label) for label in np.flatnonzero(self.class_counts == 0))

    @property
    def imbalance(self) -> float:
        """Images of the largest class per image of the smallest that has any; 1 is balanced."""
        present = self.class_counts[self.class_counts > 0]
        return float(present.max() / present.min())

    def of_class(self, label: int) -> dict[str, float | int | None]:
        """Images, mean, standard deviation and share of 0 of one class; None without images."""
        counts = self.histogram[label]
        if not counts.any():
            return {"images": 0, "pixel_mean": None, "pixel_std": None, "zero_share": None}
        return {
            "images": int(self.class_counts[label]),
            "pixel_mean": _mean(counts),
            "pixel_std": _std(counts),
            "zero_share": float(counts[0] / counts.sum()),
        }


@dataclass(frozen=True, eq=False)
class ClassImages:
    """The mean and the population standard deviation of each class's images, pixel by pixel.

    Args:
        means, stds: (10, 28, 28) float64; NaN for a class without images.
    """

    means: Floats
    stds: Floats


@dataclass(frozen=True, eq=False)
class Repeats:
    """The rows of both splits that repeat another, byte for byte.

    Args:
        train: rows of the training images that equal an earlier training row, sorted.
        test: rows of the test images that equal an earlier test row, sorted.
        leaked: training rows that equal some test row, sorted.
        shown: test rows that equal some training row, sorted.
        conflicting: how many rows, of both splits, share their bytes with a row of another label.
    """

    train: Rows
    test: Rows
    leaked: Rows
    shown: Rows
    conflicting: int


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Pairs of a test and a training image that differ, but hardly; the most similar first.

    Args:
        test: (m,) int64, rows of the test images; one row may be in several pairs.
        train: (m,) int64, rows of the training images.
        similarities: (m,) float64, structural similarity, `similarity` to 1.
        candidates: how many pairs were near enough to be compared by it.
        similarity: the least structural similarity of a pair.
        difference: the largest squared difference of a pair that was compared, as a share of the
            test image's squared pixels.
    """

    test: Rows
    train: Rows
    similarities: Floats
    candidates: int
    similarity: float
    difference: float

    def __len__(self) -> int:
        return len(self.test)


@dataclass(frozen=True, eq=False)
class ByDistance:
    """Correlations over all pairs of varying pixels, one entry a whole-numbered distance.

    Args:
        distances: (k,) float64, in pixels, center to center, rounded; those with pairs only.
        means, lower, upper: (k,) float64, mean and quartiles of the pairs at each distance.
        pairs: (k,) int64, how many pairs there are.
    """

    distances: Floats
    means: Floats
    lower: Floats
    upper: Floats
    pairs: Rows


@dataclass(frozen=True, eq=False)
class Layout:
    """Points laid out in a plane.

    Args:
        points: (n, 2) float32.
        divergences: iterations done, exaggerated ones included, and the Kullback-Leibler
            divergence there, in order; the last is that of `points`.
    """

    points: npt.NDArray[np.float32]
    divergences: tuple[tuple[int, float], ...]

    @property
    def divergence(self) -> float:
        return self.divergences[-1][1]

    @property
    def iterations(self) -> int:
        return self.divergences[-1][0]


@dataclass(frozen=True)
class Quality:
    """Numbers beside a layout, from a sample of its rows.

    Args:
        trustworthiness: 1 less a penalty for neighbors in the plane that are none among the
            pixels (Venna and Kaski, 2001), 0 to 1; within the sample.
        plane_agreement: share of a point's nearest neighbors in the plane with its label.
        pixel_agreement: the same for its nearest neighbors among the pixels.
        neighbors: how many nearest neighbors.
        rows: in the sample.
    """

    trustworthiness: float
    plane_agreement: float
    pixel_agreement: float
    neighbors: int
    rows: int


@dataclass(frozen=True, eq=False)
class Exploration:
    """All that was found; `images`, `labels` and `scores` are those of train, then of test.

    Args:
        images: (n, 28, 28) uint8, 0 is background, 255 is ink.
        labels: (n,) uint8.
        class_names: 10 names, in label order.
        digest: names the content of the data set's files.
        train, test: each split by itself.
        class_images: of the training images.
        samples: for each label some training rows.
        repeats: exact duplicates.
        near: near-duplicates of test images among the training images.
        correlations: (784, 784) float64 of the training pixels; NaN for constant pixels.
        by_distance: the correlations summed up by the pixels' distance.
        adjacent: the mean correlation of adjacent pixels; None where no two vary.
        shares: (784,) float64, each principal component's share of the training variance.
        scores: (n, 50) float32, scores on the first components.
        laid_out: (m,) int64, rows that t-SNE laid out, sorted.
        layout: of those rows.
        quality: of that layout.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    class_names: tuple[str, ...]
    digest: str
    train: SplitAudit
    test: SplitAudit
    class_images: ClassImages
    samples: dict[int, list[int]]
    repeats: Repeats
    near: NearDuplicates
    correlations: Floats
    by_distance: ByDistance
    adjacent: float | None
    shares: Floats
    scores: npt.NDArray[np.float32]
    laid_out: Rows
    layout: Layout
    quality: Quality

    @property
    def constant_pixels(self) -> Rows:
        """Those with one value in all training images, 0 to 783."""
        return np.flatnonzero(np.isnan(np.diag(self.correlations)))

    def components_for(self, share: float) -> int:
        """How many principal components together hold at least this share of the variance."""
        return int(np.searchsorted(np.cumsum(self.shares), share - 1e-12)) + 1

    def near_labels(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """The labels of the near-duplicates: of the test and of the training image."""
        return self.labels[self.train.rows + self.near.test], self.labels[self.near.train]


def _mean(counts: Rows) -> float:
    return float(counts @ np.arange(VALUES) / counts.sum())


def _std(counts: Rows) -> float:
    squares = counts @ np.arange(VALUES) ** 2 / counts.sum()
    return float(np.sqrt(max(squares - _mean(counts) ** 2, 0.0)))
