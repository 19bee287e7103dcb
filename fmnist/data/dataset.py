"""The dataset in memory: validated images and labels for training and testing."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.data import idx, sources
from fmnist.data.idx import SIDE, Bytes
from fmnist.errors import BadInput
from fmnist.results.training import CLASSES, MAX_CLASSES

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
_MAX_NAME_LENGTH = 60


@dataclass(frozen=True, eq=False)
class Split:
    """Images and labels in file order; both arrays are made read-only.

    Args:
        images: (n, 28, 28) uint8, 0 is background, n > 0.
        labels: (n,) uint8, the class of each image, from 0.
        classes: number of classes, including those without images here.

    Raises:
        ValueError: an array has another shape, type or value range.
    """

    images: Bytes
    labels: Bytes
    classes: int = CLASSES

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
        if self.labels.max() >= self.classes:
            raise ValueError(f"expected labels in 0..{self.classes - 1}, got {self.labels.max()}")
        for name in ("images", "labels"):
            array = getattr(self, name).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    # Unpickled arrays would be writable.
    def __reduce__(self) -> tuple[type["Split"], tuple[Bytes, Bytes, int]]:
        return Split, (self.images, self.labels, self.classes)

    def take(self, rows: npt.NDArray[np.int64]) -> "Split":
        """Return the given rows in the given order, or `self` for all rows in file order."""
        if np.array_equal(rows, np.arange(len(self))):
            return self
        return Split(self.images[rows], self.labels[rows], self.classes)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """Fashion-MNIST or another dataset of 28 x 28 grayscale images.

    Args:
        train: rows for training and validation.
        test: rows for the final evaluation.
        digest: 32 hex digits that identify the images, labels and number of classes.
        class_names: 2 to 100 names in label order.
        source: directory of the files.
    """

    train: Split
    test: Split
    digest: str
    class_names: tuple[str, ...] = CLASS_NAMES
    source: str = "."


def load(
    data_dir: str, cache_dir: str, published: sources.PublishedDataset = sources.FASHION_MNIST
) -> FashionMNIST:
    """Load and validate the dataset that `sources.find` finds, see `from_files`."""
    return from_files(sources.find(data_dir, cache_dir, published))


def from_files(files: sources.IdxFiles) -> FashionMNIST:
    """Validate the images and labels of a directory.

    The directory may contain `class_names.txt` with one name per line. Without it, the classes of
    Fashion-MNIST have their names and those of other data are called 0, 1, … up to the highest
    label. The digest does not depend on the format of the files.

    Raises:
        BadInput: the images, labels and class names do not belong together.
    """
    digest = compute_digest(files.checksums)
    labels = max(int(files.arrays[name].max()) for name in (idx.TRAIN_LABELS, idx.TEST_LABELS)) + 1
    class_names = _read_class_names(files.folder / CLASS_NAMES_FILE)
    if class_names is None:
        _require_class_zero(files)
        known = digest == FASHION_MNIST_DIGEST
        class_names = CLASS_NAMES if known else tuple(map(str, range(max(labels, 2))))
    if len(class_names) < labels:
        raise BadInput(
            f"{files.folder}: expected labels from 0 to {len(class_names) - 1} for the "
            f"{len(class_names)} names in {CLASS_NAMES_FILE}, got {labels - 1}; labels count from "
            "0: subtract 1 if they start at 1, otherwise add the missing names"
        )
    classes = len(class_names)
    if classes > labels:  # classes without images change the model
        digest = compute_digest({**files.checksums, "classes": str(classes)})
    return FashionMNIST(
        train=_split(files, idx.TRAIN_IMAGES, idx.TRAIN_LABELS, classes),
        test=_split(files, idx.TEST_IMAGES, idx.TEST_LABELS, classes),
        digest=digest,
        class_names=class_names,
        source=str(files.folder),
    )


def compute_digest(checksums: Mapping[str, str]) -> str:
    """Return the digest of a dataset from the SHA-256 of its arrays, by file name in IDX order."""
    return sha256("".join(checksums.values()).encode()).hexdigest()[:_DIGEST_LENGTH]


FASHION_MNIST_DIGEST: Final = compute_digest(sources.FASHION_MNIST.checksums)


def _require_class_zero(files: sources.IdxFiles) -> None:
    lowest = min(int(files.arrays[name].min()) for name in (idx.TRAIN_LABELS, idx.TEST_LABELS))
    if lowest:
        raise BadInput(
            f"{files.folder}: expected labels that count from 0, got labels from {lowest}; "
            f"subtract {lowest} from all labels. If class 0 exists but has no images, list the "
            f"names of all classes in {CLASS_NAMES_FILE}"
        )


def _split(files: sources.IdxFiles, images: str, labels: str, classes: int) -> Split:
    try:
        return Split(files.arrays[images], files.arrays[labels], classes)
    except ValueError as error:
        raise BadInput(
            f"{files.folder}: {images} and {labels}: {error}; use files that belong together"
        ) from error


def _read_class_names(path: Path) -> tuple[str, ...] | None:
    """Read one name per line, without blank lines at the end; None without such a file."""
    try:
        with path.open("rb") as file:
            content = file.read(_CLASS_NAMES_BYTES)
        lines = content.decode("utf-8-sig").rstrip().splitlines()
        names = tuple(line.strip() for line in lines)
        if not 2 <= len(names) <= MAX_CLASSES or len(set(names) - {""}) != len(names):
            raise ValueError(f"{len(names)} lines with {len(set(names) - {''})} different names")
        if longest := next((name for name in names if len(name) > _MAX_NAME_LENGTH), ""):
            raise ValueError(f"a name of {len(longest)} characters")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path}: expected 2 to {MAX_CLASSES} different class names in UTF-8, one per line, "
            f"each of at most {_MAX_NAME_LENGTH} characters, got {error}; correct or remove the "
            "file"
        ) from error
    return names
