"""The checked data set: images with their labels, for training and for the one final test."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.data import files, sources
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

# MLflow takes at most 36 characters as a data set's digest.
_DIGEST_LENGTH = 32
_CLASS_NAMES_BYTES = 10_000


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels, in the order of their files; both arrays are made read-only.

    Args:
        images: (n, 28, 28) uint8, 0 is background, 255 is ink; n > 0.
        labels: (n,) uint8, the class of each image, 0 to 9.

    Raises:
        ValueError: the arrays are not that, or their counts differ.
    """

    images: Bytes
    labels: Bytes

    def __post_init__(self) -> None:
        if self.images.shape[1:] != (SIDE, SIDE) or self.labels.ndim != 1 or not len(self.images):
            raise ValueError(
                f"wanted images (n, {SIDE}, {SIDE}) and labels (n,), "
                f"got {self.images.shape} and {self.labels.shape}"
            )
        if self.images.dtype != np.uint8 or self.labels.dtype != np.uint8:
            raise ValueError(f"wanted uint8, got {self.images.dtype} and {self.labels.dtype}")
        if len(self.images) != len(self.labels):
            raise ValueError(
                "wanted as many labels as images, "
                f"got {len(self.images):,} images and {len(self.labels):,} labels"
            )
        if self.labels.max() >= CLASSES:
            raise ValueError(f"labels must lie in 0..{CLASSES - 1}, got {self.labels.max()}")
        for name in ("images", "labels"):
            array = getattr(self, name).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    # Unpickled arrays are writable: make the split anew from them.
    def __reduce__(self) -> tuple[type["Split"], tuple[Bytes, Bytes]]:
        return Split, (self.images, self.labels)

    def take(self, rows: npt.NDArray[np.int64]) -> "Split":
        """The given rows, in the given order, as a split of their own; itself where that is all."""
        if np.array_equal(rows, np.arange(len(self))):
            return self
        return Split(self.images[rows], self.labels[rows])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """A data set of this form, whole.

    Args:
        train: the rows to fit and to choose by.
        test: the rows read once, last.
        digest: 32 hex characters that name the content of the four files.
        class_names: ten names, in label order.
    """

    train: Split
    test: Split
    digest: str
    class_names: tuple[str, ...] = CLASS_NAMES


def load(
    data_dir: str, cache_dir: str, published: sources.Published = sources.FASHION_MNIST
) -> FashionMNIST:
    """The data set that `data_dir` and `cache_dir` ask for (see `sources.find`), checked.

    A folder may name its classes in `class_names.txt`, one a line; without it they are called
    what Fashion-MNIST's are. The digest is the start of the SHA-256 of the four unpacked files'
    SHA-256 in hex, joined in the order train images, train labels, test images, test labels.

    Raises:
        BadInput: the files cannot be found, read, or do not belong together.
    """
    found = sources.find(data_dir, cache_dir, published)
    joined = "".join(found.checksums[name] for name in files.NAMES)
    return FashionMNIST(
        train=_split(found, files.TRAIN_IMAGES, files.TRAIN_LABELS),
        test=_split(found, files.TEST_IMAGES, files.TEST_LABELS),
        digest=sha256(joined.encode()).hexdigest()[:_DIGEST_LENGTH],
        class_names=_read_class_names(found.folder / CLASS_NAMES_FILE),
    )


def _split(found: files.FourFiles, images: str, labels: str) -> Split:
    try:
        return Split(found.arrays[images], found.arrays[labels])
    except ValueError as error:
        raise BadInput(
            f"{found.folder}: {images} and {labels}: {error}; give files that belong together"
        ) from error


def _read_class_names(path: Path) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            content = file.read(_CLASS_NAMES_BYTES)
        names = tuple(line.strip() for line in content.decode("utf-8-sig").splitlines())
    except FileNotFoundError:
        return CLASS_NAMES
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path}: wanted {CLASSES} class names in UTF-8, one a line, got {error}; "
            "mend or remove it"
        ) from error
    named = len(set(names) - {""})
    if len(names) != CLASSES or named != CLASSES:
        raise BadInput(
            f"{path}: wanted {CLASSES} different names, one a line, got {len(names)} lines with "
            f"{named} different names; mend it or remove it"
        )
    return names
