"""The four idx files that make a data set, in one folder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fmnist.data import idx

TRAIN_IMAGES: Final = "train-images-idx3-ubyte"
TRAIN_LABELS: Final = "train-labels-idx1-ubyte"
TEST_IMAGES: Final = "t10k-images-idx3-ubyte"
TEST_LABELS: Final = "t10k-labels-idx1-ubyte"

_READERS = MappingProxyType(
    {
        TRAIN_IMAGES: idx.read_images,
        TRAIN_LABELS: idx.read_labels,
        TEST_IMAGES: idx.read_images,
        TEST_LABELS: idx.read_labels,
    }
)
NAMES: Final = tuple(_READERS)


@dataclass(frozen=True, eq=False)
class FourFiles:
    """What the four files of a folder hold, each sound by itself.

    Args:
        folder: where they were read.
        arrays: from unpacked name (`NAMES`, in that order) to images or labels.
    """

    folder: Path
    arrays: Mapping[str, idx.Bytes]

    @cached_property
    def checksums(self) -> Mapping[str, str]:
        """From unpacked name to the SHA-256 of the unpacked file, in hex."""
        return {name: idx.checksum(array) for name, array in self.arrays.items()}

    def write(self, folder: Path) -> None:
        """Write the four files, unpacked, into an existing folder and flush them to its disk."""
        for name, array in self.arrays.items():
            with (folder / name).open("wb") as file:
                file.write(idx.encode(array))
                file.flush()
                os.fsync(file.fileno())


def read(folder: Path) -> FourFiles:
    """The four files of a folder, each as `NAME.gz` or, where there is none, unpacked as `NAME`.

    Raises:
        BadInput: one of them is missing, cannot be read or is not what its name promises.
    """
    return FourFiles(folder, {name: _READERS[name](_present(folder, name)) for name in NAMES})


def _present(folder: Path, name: str) -> Path:
    packed = folder / f"{name}.gz"
    unpacked = folder / name
    return unpacked if os.path.lexists(unpacked) and not os.path.lexists(packed) else packed
