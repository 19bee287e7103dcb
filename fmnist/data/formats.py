"""Recognize the format of a dataset's files; `npz`, `csv_files`, `parquet` and `idx` read them."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from fmnist.data import csv_files, idx, npz, parquet
from fmnist.data.arrays import Arrays, as_arrays
from fmnist.errors import BadInput

ACCEPTED: Final = (
    "four IDX files such as train-images-idx3-ubyte or train-images.idx3-ubyte, with or without "
    ".gz, also called emnist-NAME-train-images-idx3-ubyte or in torchvision's directory raw; one "
    ".npz file of Keras or MedMNIST; two CSV files …train.csv and …test.csv (Kaggle); Parquet "
    "files train….parquet and test….parquet (Hugging Face)"
)

_IDX: Final = re.compile(
    r"(?P<prefix>.*?)(?P<split>train|t10k|test)-(?P<kind>images|labels)[-.]idx[13]-ubyte(\.gz)?"
)
_PARQUET: Final = re.compile(r"(train|test)\b.*\.parquet")
# Below the named directory: torchvision's FashionMNIST/raw, Hugging Face's fashion_mnist or data.
_SUBFOLDERS: Final = ("raw", "*/raw", "data", "fashion_mnist", "mnist")
_MAX_LISTED: Final = 8

Read = Callable[[], Arrays]


def read(path: Path) -> Arrays:
    """Read the dataset of a directory, or of an `.npz` file.

    Raises:
        BadInput: there is no dataset or more than one, or its files are invalid.
    """
    if path.suffix == ".npz" and not path.is_dir():
        return npz.read(path)
    for folder in (path, *(found for name in _SUBFOLDERS for found in sorted(path.glob(name)))):
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        found = dict(_find(folder, names))
        if len(found) > 1:
            raise BadInput(
                f"{folder}: expected one dataset, found {', '.join(found)}; put the files of each "
                "into a directory of its own"
            )
        for read_files in found.values():
            return read_files()
    raise BadInput(
        f"{path}: expected a dataset of {idx.SIDE} x {idx.SIDE} images, found {_list(path)}; "
        f"accepted are {ACCEPTED}"
    )


def _find(folder: Path, names: list[str]) -> Iterator[tuple[str, Read]]:
    """Yield the datasets of a directory: a description, and a function that reads it."""
    groups: dict[str, dict[str, str]] = {}
    for name in sorted(names, key=lambda name: not name.endswith(".gz")):
        if match := _IDX.fullmatch(name):
            split = "train" if match["split"] == "train" else "t10k"
            dimensions = 3 if match["kind"] == "images" else 1
            key = f"{split}-{match['kind']}-idx{dimensions}-ubyte"
            groups.setdefault(match["prefix"], {}).setdefault(key, name)
    if groups.get("", {}).keys() == set(idx.FILE_NAMES) or len(groups) == 1:
        groups = {"": groups[""]} if "" in groups else groups
        [(prefix, files)] = groups.items()
        yield f"{prefix or 'IDX'} files", partial(_read_idx, folder, prefix, files)
        return
    for prefix, files in groups.items():
        if files.keys() == set(idx.FILE_NAMES):
            yield f"{prefix} files", partial(_read_idx, folder, prefix, files)
    for name in names:
        if name.endswith(".npz"):
            yield name, partial(npz.read, folder / name)
        elif name.endswith("train.csv") and (test := f"{name[:-9]}test.csv") in names:
            yield name, partial(_read_csv, folder / name, folder / test)
    shards = [name for name in names if _PARQUET.fullmatch(name)]
    if {name[:4] for name in shards} == {"trai", "test"}:
        yield "Parquet files", partial(_read_parquet, folder, shards)


def _read_idx(folder: Path, prefix: str, files: dict[str, str]) -> Arrays:
    arrays: dict[str, idx.Bytes] = {}
    for key in idx.FILE_NAMES:
        path = folder / files.get(key, f"{prefix}{key}.gz")
        if key in (idx.TRAIN_LABELS, idx.TEST_LABELS):
            arrays[key] = idx.read_labels(path)
        else:
            arrays[key] = idx.read_images(path)
            if prefix.startswith("emnist"):
                # EMNIST stores its images with rows and columns exchanged.
                arrays[key] = np.ascontiguousarray(arrays[key].swapaxes(1, 2))
    return arrays


def _read_csv(train: Path, test: Path) -> Arrays:
    return as_arrays(train.parent, *csv_files.read(train), *csv_files.read(test))


def _read_parquet(folder: Path, shards: Iterable[str]) -> Arrays:
    paths = sorted(folder / name for name in shards)
    train = [path for path in paths if path.name.startswith("train")]
    test = [path for path in paths if path.name.startswith("test")]
    return as_arrays(folder, *parquet.read(train), *parquet.read(test))


def _list(folder: Path) -> str:
    names = sorted(os.listdir(folder))
    more = f" and {len(names) - _MAX_LISTED:,} more" if len(names) > _MAX_LISTED else ""
    return (", ".join(names[:_MAX_LISTED]) or "an empty directory") + more
