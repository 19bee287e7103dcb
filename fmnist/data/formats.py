"""Recognize the format of a dataset's files, read them, and check the arrays."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from fmnist.data import idx, readers
from fmnist.data.readers import Array
from fmnist.errors import BadInput
from fmnist.results.training import MAX_CLASSES

ACCEPTED: Final = (
    "four IDX files such as train-images-idx3-ubyte or train-images.idx3-ubyte, with or without "
    ".gz, also called emnist-NAME-train-images-idx3-ubyte or in torchvision's directory raw; one "
    ".npz file of Keras or MedMNIST; two CSV files …train.csv and …test.csv (Kaggle); Parquet "
    "files train….parquet and test….parquet (Hugging Face)"
)

_IDX: Final = re.compile(
    r"(?P<prefix>.*?)(?P<split>train|t10k|test)-(?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz)?"
)
# Below the named directory: torchvision's FashionMNIST/raw, Hugging Face's fashion_mnist or data.
_SUBFOLDERS: Final = ("raw", "*/raw", "data", "fashion_mnist", "mnist")
_MAX_LISTED: Final = 8

Read = Callable[[], Sequence[Array]]  # returns four arrays in the order of `idx.FILE_NAMES`


@dataclass(frozen=True, eq=False)
class DatasetFiles:
    """Images and labels of a directory, whatever the format of its files.

    Args:
        folder: the directory they were read from.
        arrays: images (n, 28, 28) or labels (n,) uint8 by file name, in the order of
            `idx.FILE_NAMES`.
    """

    folder: Path
    arrays: Mapping[str, idx.Bytes]

    @cached_property
    def checksums(self) -> Mapping[str, str]:
        """SHA-256 (hex) of each decompressed IDX file by file name."""
        return {name: idx.checksum(array) for name, array in self.arrays.items()}


def read(path: Path) -> DatasetFiles:
    """Read the dataset of a directory, or of an `.npz` file.

    Raises:
        BadInput: there is no dataset or more than one, or its files are invalid.
    """
    if path.suffix == ".npz" and not path.is_dir():
        return _check(path, readers.read_npz(path))
    for folder in (path, *(found for name in _SUBFOLDERS for found in sorted(path.glob(name)))):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        found = _find(folder, names)
        if len(found) > 1:
            raise BadInput(
                f"{folder}: expected one dataset, found {', '.join(found)}; put the files of each "
                "into a directory of its own"
            )
        for read_files in found.values():
            return _check(folder, read_files())
    names = sorted(os.listdir(path))
    more = f" and {len(names) - _MAX_LISTED:,} more" if len(names) > _MAX_LISTED else ""
    listed = ", ".join(names[:_MAX_LISTED]) or "an empty directory"
    raise BadInput(
        f"{path}: expected a dataset of {idx.SIDE} x {idx.SIDE} images, found {listed}{more}; "
        f"accepted are {ACCEPTED}"
    )


def _find(folder: Path, names: list[str]) -> dict[str, Read]:
    """Return the datasets of a directory: a description, and a function that reads it."""
    groups: dict[str, dict[str, str]] = {}  # by prefix: names of the files by their standard names
    for name in sorted(names, key=lambda name: not name.endswith(".gz")):
        if match := _IDX.fullmatch(name):
            split = "train" if match["split"] == "train" else "t10k"
            dimensions = 3 if match["kind"] == "images" else 1
            key = f"{split}-{match['kind']}-idx{dimensions}-ubyte"
            groups.setdefault(match["prefix"], {}).setdefault(key, name)
    complete = {p: files for p, files in groups.items() if len(files) == len(idx.FILE_NAMES)}
    if "" in complete:
        groups = {"": complete[""]}
    elif len(groups) > 1:
        groups = complete
    found: dict[str, Read] = {
        f"{prefix or 'IDX'} files": partial(_read_idx, folder, prefix, files)
        for prefix, files in groups.items()
    }
    if len(groups) == 1:  # Kaggle's directory also contains CSV files
        return found
    for name in names:
        if name.endswith(".npz"):
            found[name] = partial(readers.read_npz, folder / name)
        elif name.endswith("train.csv") and (test_name := f"{name[:-9]}test.csv") in names:
            found[name] = partial(_read_splits, readers.read_csv, folder / name, folder / test_name)
    train, test = (
        [folder / name for name in names if re.fullmatch(rf"{split}\b.*\.parquet", name)]
        for split in ("train", "test")
    )
    if train and test:
        found["Parquet files"] = partial(_read_splits, readers.read_parquet, train, test)
    return found


def _read_splits(
    read_split: Callable[[Any], tuple[Array, Array]], train: Any, test: Any
) -> list[Array]:
    return [*read_split(train), *read_split(test)]


def _read_idx(folder: Path, prefix: str, files: Mapping[str, str]) -> list[Array]:
    arrays = []
    for key in idx.FILE_NAMES:
        path = folder / files.get(key, f"{prefix}{key}.gz")
        if key in (idx.TRAIN_LABELS, idx.TEST_LABELS):
            arrays.append(idx.read_labels(path))
        else:
            images = idx.read_images(path)
            # EMNIST stores its images with rows and columns exchanged.
            arrays.append(images.swapaxes(1, 2) if prefix.startswith("emnist") else images)
    return arrays


def _check(path: Path, arrays: Sequence[Array]) -> DatasetFiles:
    """Check shapes and values and convert to contiguous uint8.

    Args:
        path: the directory or file they were read from.
        arrays: images (n, 28, 28) or (n, 28, 28, 1) uint8 and labels (n,) or (n, 1) of any
            integer type for training, then for testing.
    """
    checked = {}
    for name, array in zip(idx.FILE_NAMES, arrays, strict=True):
        split, kind, *_ = name.split("-")
        check = _check_images if kind == "images" else _check_labels
        checked[name] = check(array, f"{path}: {'training' if split == 'train' else 'test'} {kind}")
    return DatasetFiles(path.parent if path.is_file() else path, checked)


def _check_images(images: Array, what: str) -> idx.Bytes:
    shape = images.shape[:3] if images.shape[3:] == (1,) else images.shape
    if images.dtype != np.uint8 or shape[1:] != (idx.SIDE, idx.SIDE) or not len(images):
        raise BadInput(
            f"{what}: expected grayscale images (n, {idx.SIDE}, {idx.SIDE}) uint8, got "
            f"{images.shape} {images.dtype}; convert them"
        )
    return np.ascontiguousarray(images.reshape(shape))


def _check_labels(labels: Array, what: str) -> idx.Bytes:
    flat = labels.reshape(-1) if labels.shape[1:] == (1,) else labels
    if flat.dtype.kind not in "iu" or flat.ndim != 1 or not len(flat):
        raise BadInput(
            f"{what}: expected one integer for each image, got {labels.shape} {labels.dtype}"
        )
    if flat.min() < 0 or flat.max() >= MAX_CLASSES:
        raise BadInput(
            f"{what}: expected labels from 0 to {MAX_CLASSES - 1}, got {flat.min()} to "
            f"{flat.max()}; use a dataset with at most {MAX_CLASSES} classes"
        )
    return np.ascontiguousarray(flat, np.uint8)
