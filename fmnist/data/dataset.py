"""The dataset in memory: validated images and labels for training and testing."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.data import idx, sources
from fmnist.data.idx import SIDE, Bytes
from fmnist.errors import BadInput
from fmnist.results.training import CLASSES

CLASS_NAMES: Final = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
CLASS_NAMES_FILE: Final = "class_names.txt"

_DIGEST_LENGTH = 32  # MLflow allows 36 characters for a dataset's digest
_CLASS_NAMES_BYTES = 10_000


@dataclass(frozen=True, eq=False)
class Split:
    """Images and labels in file order; both arrays are made read-only.

    Args:
        images: (n, 28, 28) uint8, 0 is background, n > 0.
        labels: (n,) uint8, the class of each image, 0 to 9.

    Raises:
        ValueError: an array has another shape, type or value range.
    """

    images: Bytes
    labels: Bytes

    def __post_init__(self) -> None:
        shapes = f"got {self.images.shape} and {self.labels.shape}"
        if self.images.shape[1:] != (SIDE, SIDE) or self.labels.ndim != 1 or not len(self.images):
            raise ValueError(f"expected images (n, {SIDE}, {SIDE}) and labels (n,), {shapes}")
        if self.images.dtype != np.uint8 or self.labels.dtype != np.uint8:
            raise ValueError(f"expected uint8, got {self.images.dtype} and {self.labels.dtype}")
        if len(self.images) != len(self.labels):
            raise ValueError(
                "expected as many labels as images, "
                f"got {len(self.images):,} images and {len(self.labels):,} labels"
            )
        if self.labels.max() >= CLASSES:
            raise ValueError(f"expected labels in 0..{CLASSES - 1}, got {self.labels.max()}")
        for name in ("images", "labels"):
            array = getattr(self, name).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    # Unpickled arrays would be writable.
    def __reduce__(self) -> tuple[type["Split"], tuple[Bytes, Bytes]]:
        return Split, (self.images, self.labels)

    def take(self, rows: npt.NDArray[np.int64]) -> "Split":
        """Return the given rows in the given order, or `self` for all rows in file order."""
        if np.array_equal(rows, np.arange(len(self))):
            return self
        return Split(self.images[rows], self.labels[rows])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """Fashion-MNIST or another dataset of the same format.

    Args:
        train: rows for training and validation.
        test: rows for the final evaluation.
        digest: 32 hex digits that identify the contents of the four files.
        class_names: ten names in label order.
    """

    train: Split
    test: Split
    digest: str
    class_names: tuple[str, ...] = CLASS_NAMES


def load(
    data_dir: str, cache_dir: str, published: sources.PublishedDataset = sources.FASHION_MNIST
) -> FashionMNIST:
    """Load and validate the dataset that `sources.find` finds.

    The directory may contain `class_names.txt` with one name per line; otherwise the names of
    Fashion-MNIST are used. The digest is computed from the SHA-256 of the decompressed files.

    Raises:
        BadInput: the files cannot be found or read, or do not belong together.
    """
    files = sources.find(data_dir, cache_dir, published)
    checksums = "".join(files.checksums[name] for name in idx.FILE_NAMES)
    return FashionMNIST(
        train=_split(files, idx.TRAIN_IMAGES, idx.TRAIN_LABELS),
        test=_split(files, idx.TEST_IMAGES, idx.TEST_LABELS),
        digest=sha256(checksums.encode()).hexdigest()[:_DIGEST_LENGTH],
        class_names=_read_class_names(files.folder / CLASS_NAMES_FILE),
    )


def _split(files: sources.IdxFiles, images: str, labels: str) -> Split:
    try:
        return Split(files.arrays[images], files.arrays[labels])
    except ValueError as error:
        raise BadInput(
            f"{files.folder}: {images} and {labels}: {error}; use files that belong together"
        ) from error


def _read_class_names(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            content = file.read(_CLASS_NAMES_BYTES)
        names = tuple(line.strip() for line in content.decode("utf-8-sig").splitlines())
        received = f"{len(names)} lines with {len(set(names) - {''})} different names"
        if len(names) != CLASSES or len(set(names) - {""}) != CLASSES:
            raise ValueError(received)
    except FileNotFoundError:
        return CLASS_NAMES
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path}: expected {CLASSES} different class names in UTF-8, one per line, "
            f"got {error}; correct or remove the file"
        ) from error
    return names
