"""Statistics and defects of images and labels."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from fmnist.data.dataset import Split
from fmnist.results.eda import VALUES, Floats, SplitAudit

_BRIGHT_CORNER: Final = 128  # the background of intact images is dark
_MAX_IMBALANCE: Final = 1.5


def audit(split: Split) -> SplitAudit:
    """Compute the statistics of one split."""
    pixels = split.images.reshape(len(split), -1)
    low, high = pixels.min(axis=1), pixels.max(axis=1)
    histogram = np.zeros((split.classes, VALUES), np.int64)
    for image, label in zip(pixels, split.labels, strict=True):
        histogram[label] += np.bincount(image, minlength=VALUES)
    return SplitAudit(
        histogram=histogram,
        class_counts=np.bincount(split.labels, minlength=split.classes).astype(np.int64),
        blank=np.flatnonzero(high == 0),
        constant=np.flatnonzero((low == high) & (high > 0)),
        corner_median=float(np.median(split.images[:, [0, 0, -1, -1], [0, -1, 0, -1]])),
    )


def class_statistics(split: Split) -> tuple[Floats, Floats]:
    """Return the mean and the standard deviation image of each class, each (classes, 28, 28)."""
    means = np.full((split.classes, *split.images.shape[1:]), np.nan)
    stds = means.copy()
    for label in np.unique(split.labels):
        images = split.images[split.labels == label]
        means[label], stds[label] = images.mean(axis=0), images.std(axis=0)
    return means, stds


def sample_rows(split: Split, count: int, seed: int) -> dict[int, list[int]]:
    """Draw up to `count` sorted rows of each class."""
    rng = np.random.default_rng(seed)
    samples = {}
    for label in range(split.classes):
        rows = np.flatnonzero(split.labels == label)
        samples[label] = sorted(rng.choice(rows, min(count, len(rows)), replace=False).tolist())
    return samples


def find_defects(split: str, result: SplitAudit, class_names: Sequence[str]) -> list[str]:
    """Describe each defect of a split in one sentence.

    Args:
        split: name of the split, `training` or `test`.
    """
    sentences = []
    if result.missing_classes:
        missing = ", ".join(class_names[label] for label in result.missing_classes)
        sentences.append(f"The {split} split has no image of class {missing}.")
    if result.imbalance > _MAX_IMBALANCE:
        sentences.append(
            f"The {split} classes are imbalanced: the largest has {result.imbalance:.2f} times as "
            "many images as the smallest."
        )
    low, high = result.extremes
    if high <= 1:
        sentences.append(
            f"The {split} pixel values range from {low} to {high}; expected 0 to {VALUES - 1}."
        )
    if result.corner_median >= _BRIGHT_CORNER:
        sentences.append(
            f"The {split} images have a bright background (median corner pixel "
            f"{result.corner_median:.0f}, expected 0); they may be inverted."
        )
    for defect, rows in (("blank (all 0)", result.blank), ("constant", result.constant)):
        if len(rows):
            first = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
            images = (
                f"1 {split} image is" if len(rows) == 1 else f"{len(rows):,} {split} images are"
            )
            sentences.append(f"{images} {defect}: row {first}.")
    return sentences
