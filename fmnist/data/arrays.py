"""Images and labels read from a format other than IDX, in the form of the IDX files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist.data import idx
from fmnist.errors import BadInput
from fmnist.results.training import MAX_CLASSES

Arrays = Mapping[str, idx.Bytes]  # by the names of the IDX files, in their order


def as_arrays(
    path: Path,
    train_images: npt.NDArray[Any],
    train_labels: npt.NDArray[Any],
    test_images: npt.NDArray[Any],
    test_labels: npt.NDArray[Any],
) -> Arrays:
    """Check shapes and values and convert to uint8.

    Args:
        path: of the file or directory, for messages.
        train_images, test_images: (n, 28, 28) or (n, 28, 28, 1) uint8.
        train_labels, test_labels: (n,) or (n, 1) of any integer type.

    Raises:
        BadInput: the arrays have another shape, type or range.
    """
    return {
        idx.TRAIN_IMAGES: _images(train_images, f"{path}: training images"),
        idx.TRAIN_LABELS: _labels(train_labels, f"{path}: training labels"),
        idx.TEST_IMAGES: _images(test_images, f"{path}: test images"),
        idx.TEST_LABELS: _labels(test_labels, f"{path}: test labels"),
    }


def _images(images: npt.NDArray[Any], what: str) -> idx.Bytes:
    shape = images.shape[:3] if images.shape[3:] in ((), (1,)) else images.shape
    if images.dtype != np.uint8 or shape[1:] != (idx.SIDE, idx.SIDE) or not len(images):
        raise BadInput(
            f"{what}: expected grayscale images (n, {idx.SIDE}, {idx.SIDE}) uint8, got "
            f"{images.shape} {images.dtype}; convert them"
        )
    return np.ascontiguousarray(images.reshape(shape))


def _labels(labels: npt.NDArray[Any], what: str) -> idx.Bytes:
    flat = labels.reshape(-1) if labels.shape[1:] == (1,) else labels
    if flat.dtype.kind not in "iu" or flat.ndim != 1 or not len(flat):
        raise BadInput(
            f"{what}: expected one integer for each image, got {labels.shape} {labels.dtype}"
        )
    if flat.min() < 0 or flat.max() >= MAX_CLASSES:
        raise BadInput(
            f"{what}: expected labels from 0 to {MAX_CLASSES - 1}, got {flat.min()} to {flat.max()}"
        )
    return np.ascontiguousarray(flat, np.uint8)
