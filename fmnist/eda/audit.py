"""What a careful analyst asks of images and labels before any model sees them."""

import numpy as np
import numpy.typing as npt

from fmnist.data.dataset import Split
from fmnist.results.eda import VALUES, ClassImages, SplitAudit
from fmnist.results.training import CLASSES


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


def _histogram(
    flat: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64], block: int = 2048
) -> npt.NDArray[np.int64]:
    counts = np.zeros(VALUES, np.int64)
    for start in range(0, len(rows), block):  # bincount widens its input eightfold
        counts += np.bincount(flat[rows[start : start + block]].ravel(), minlength=VALUES)
    return counts
