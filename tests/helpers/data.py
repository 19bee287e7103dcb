"""A small data set in the files' real format."""

import gzip
from pathlib import Path

import numpy as np

from fmnist.data import idx
from fmnist.results.training import CLASSES

TRAIN_ROWS = 600
TEST_ROWS = 200


def write_small_data(folder: Path) -> None:
    """Write 600 training and 200 test images, with balanced labels.

    Each class has its own coarse random pattern, which is shifted by up to two pixels and covered
    with noise: a small network learns it in a few epochs, but not in one.
    """
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 200, size=(CLASSES, 7, 7))
    patterns = np.kron(coarse, np.ones((4, 4), dtype=np.int64))
    for rows, images_name, labels_name in (
        (TRAIN_ROWS, idx.TRAIN_IMAGES, idx.TRAIN_LABELS),
        (TEST_ROWS, idx.TEST_IMAGES, idx.TEST_LABELS),
    ):
        labels = rng.permutation(np.arange(rows) % CLASSES)
        shifts = rng.integers(-2, 3, size=(rows, 2))
        shifted = [
            np.roll(patterns[label], shift, (0, 1))
            for label, shift in zip(labels, shifts, strict=True)
        ]
        noisy = np.stack(shifted) + rng.normal(0, 40, size=(rows, idx.SIDE, idx.SIDE))
        images = np.clip(noisy, 0, 255).astype(np.uint8)
        for name, array in ((images_name, images), (labels_name, labels.astype(np.uint8))):
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx.encode(array), mtime=0))
