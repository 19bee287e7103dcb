"""Small data sets in the files' real format."""

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fmnist.data import idx
from fmnist.results.training import CLASSES


def write_small_data(folder: Path) -> None:
    """Write 600 training and 200 test images of ten classes, with balanced labels."""
    write_data(folder, np.arange(600) % CLASSES, np.arange(200) % CLASSES)


def write_data(
    folder: Path, train_labels: npt.NDArray[np.int64], test_labels: npt.NDArray[np.int64]
) -> None:
    """Write images with these labels, in random order.

    Each class has its own coarse random pattern, which is shifted by up to two pixels and covered
    with noise: a small network learns it in a few epochs, but not in one.
    """
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 200, size=(int(train_labels.max()) + 1, 7, 7))
    patterns = np.kron(coarse, np.ones((4, 4), dtype=np.int64))
    for sorted_labels, images_name, labels_name in (
        (train_labels, idx.TRAIN_IMAGES, idx.TRAIN_LABELS),
        (test_labels, idx.TEST_IMAGES, idx.TEST_LABELS),
    ):
        rows = len(sorted_labels)
        labels = rng.permutation(sorted_labels)
        shifts = rng.integers(-2, 3, size=(rows, 2))
        shifted = [
            np.roll(patterns[label], shift, (0, 1))
            for label, shift in zip(labels, shifts, strict=True)
        ]
        noisy = np.stack(shifted) + rng.normal(0, 40, size=(rows, idx.SIDE, idx.SIDE))
        images = np.clip(noisy, 0, 255).astype(np.uint8)
        for name, array in ((images_name, images), (labels_name, labels.astype(np.uint8))):
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx.encode(array), mtime=0))
