"""What a careful analyst asks of images and labels before any model sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.data.dataset import Split
from fmnist.results import CLASSES

VALUES: Final = 256

# A picture of a thing on an empty ground has most of its pixels dark.
_BRIGHT_GROUND: Final = 128
# An even share of the rows for each class, give or take a half.
_UNEVEN: Final = 1.5


@dataclass(frozen=True, eq=False)
class SplitAudit:
    """What the images and labels of one split hold; everything else is derived.

    Args:
        histogram: (10, 256) int64, pixels of each class that have each value.
        class_counts: (10,) int64, images of each class.
        blank: (b,) int64, rows whose pixels are all 0.
        constant: (c,) int64, rows whose pixels are all equal, but not 0.
        corners: the median value of the images' four corner pixels, 0 to 255.
        pixels: pixels of one image.
    """

    histogram: npt.NDArray[np.int64]
    class_counts: npt.NDArray[np.int64]
    blank: npt.NDArray[np.int64]
    constant: npt.NDArray[np.int64]
    corners: float
    pixels: int

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

    means: npt.NDArray[np.float64]
    stds: npt.NDArray[np.float64]


def audit(split: Split) -> SplitAudit:
    """What there is to know of one split without comparing its images with each other."""
    flat = split.images.reshape(len(split), -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    histogram = np.stack(
        [_histogram(flat, np.flatnonzero(split.labels == label)) for label in range(CLASSES)]
    )
    return SplitAudit(
        histogram=histogram,
        class_counts=np.bincount(split.labels, minlength=CLASSES).astype(np.int64),
        blank=np.flatnonzero(high == 0),
        constant=np.flatnonzero((low == high) & (high > 0)),
        corners=float(np.median(split.images[:, [0, 0, -1, -1], [0, -1, 0, -1]])),
        pixels=flat.shape[1],
    )


def class_images(split: Split) -> ClassImages:
    """The mean and standard-deviation image of every class."""
    means = np.full((CLASSES, *split.images.shape[1:]), np.nan)
    stds = means.copy()
    for label in np.unique(split.labels):
        images = split.images[split.labels == label]
        means[label], stds[label] = images.mean(axis=0), images.std(axis=0)
    return ClassImages(means, stds)


def sample_rows(labels: npt.NDArray[np.uint8], count: int, seed: int) -> dict[int, list[int]]:
    """Up to `count` rows of every class, drawn without replacement and sorted."""
    rng = np.random.default_rng(seed)
    rows = {label: np.flatnonzero(labels == label) for label in range(CLASSES)}
    return {
        label: sorted(rng.choice(of_it, min(count, len(of_it)), replace=False).tolist())
        for label, of_it in rows.items()
    }


def findings(split: str, found: SplitAudit, class_names: Sequence[str]) -> list[str]:
    """What is not as it should be in one split, a sentence each; empty if all is well.

    Args:
        split: what to call it, `training` or `test`.
    """
    sentences = []
    if found.missing_classes:
        missing = ", ".join(f"{class_names[label]} ({label})" for label in found.missing_classes)
        sentences.append(f"No {split} image of class {missing}.")
    if found.imbalance > _UNEVEN:
        sentences.append(
            f"The {split} classes are uneven: the largest has {found.imbalance:.2f} times as many "
            "images as the smallest."
        )
    low, high = found.extremes
    if high <= 1:
        sentences.append(f"The {split} pixels lie in {low} to {high}: wanted 0 to {VALUES - 1}.")
    if found.corners >= _BRIGHT_GROUND:
        sentences.append(
            f"The {split} images have a bright ground (median corner pixel {found.corners:.0f}): "
            "wanted 0 for the background; they may be inverted."
        )
    for what, rows in (("blank (all 0)", found.blank), ("constant", found.constant)):
        if len(rows):
            sentences.append(f"{_images(len(rows), split)} {what}: row {_listed(rows)}.")
    return sentences


def _images(count: int, split: str) -> str:
    return f"1 {split} image is" if count == 1 else f"{count:,} {split} images are"


def _listed(rows: npt.NDArray[np.int64], shown: int = 5) -> str:
    return ", ".join(str(row) for row in rows[:shown]) + (", …" if len(rows) > shown else "")


def _histogram(
    flat: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64], block: int = 2048
) -> npt.NDArray[np.int64]:
    counts = np.zeros(VALUES, np.int64)
    for start in range(0, len(rows), block):  # bincount widens its input eightfold
        counts += np.bincount(flat[rows[start : start + block]].ravel(), minlength=VALUES)
    return counts


def _mean(counts: npt.NDArray[np.int64]) -> float:
    return float(counts @ np.arange(VALUES) / counts.sum())


def _std(counts: npt.NDArray[np.int64]) -> float:
    squares = counts @ np.arange(VALUES) ** 2 / counts.sum()
    return float(np.sqrt(max(squares - _mean(counts) ** 2, 0.0)))
