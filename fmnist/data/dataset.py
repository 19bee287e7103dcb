"""The dataset in memory: validated images and labels for training and testing."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.data import sources
from fmnist.data.formats import DatasetFiles
from fmnist.data.idx import Bytes
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
    """Images and labels in file order.

    Args:
        images: (n, 28, 28) uint8, 0 is background, n > 0.
        labels: (n,) uint8, the class of each image, from 0.
        classes: number of classes, including those without images here.
    """

    images: Bytes
    labels: Bytes
    classes: int = CLASSES

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


def load(data_dir: str, cache_dir: str) -> FashionMNIST:
    """Load and validate the dataset that `sources.find` finds, see `from_files`."""
    return from_files(sources.find(data_dir, cache_dir))


def from_files(files: DatasetFiles) -> FashionMNIST:
    """Check that the images, labels and class names of a directory belong together.

    The directory may contain `class_names.txt` with one name per line. Without it, the classes of
    Fashion-MNIST have their names and those of other data are called 0, 1, … up to the highest
    label. The digest does not depend on the format of the files.

    Raises:
        BadInput: they do not belong together.
    """
    train_images, train_labels, test_images, test_labels = files.arrays.values()
    for split, images, labels in (
        ("training", train_images, train_labels),
        ("test", test_images, test_labels),
    ):
        if len(images) != len(labels):
            raise BadInput(
                f"{files.folder}: expected as many {split} labels as images, got {len(images):,} "
                f"images and {len(labels):,} labels; use files that belong together"
            )
    digest = compute_digest(files.checksums)
    used_labels = np.union1d(train_labels, test_labels).tolist()
    lowest, highest = used_labels[0], used_labels[-1]
    class_names = _read_class_names(files.folder / CLASS_NAMES_FILE)
    if class_names is None:
        if lowest > 0:
            raise BadInput(
                f"{files.folder}: expected labels that count from 0, got labels from {lowest}; "
                f"subtract {lowest} from all labels. If class 0 exists but has no images, list the "
                f"names of all classes in {CLASS_NAMES_FILE}"
            )
        known = digest == FASHION_MNIST_DIGEST
        class_names = CLASS_NAMES if known else tuple(map(str, range(max(highest + 1, 2))))
    classes = len(class_names)
    if highest >= classes:
        raise BadInput(
            f"{files.folder}: expected labels from 0 to {classes - 1} for the {classes} names in "
            f"{CLASS_NAMES_FILE}, got {highest}; labels count from 0: subtract 1 if they start at "
            "1, otherwise add the missing names"
        )
    if classes > highest + 1:  # classes without images change the model
        digest = compute_digest({**files.checksums, "classes": str(classes)})
    return FashionMNIST(
        Split(train_images, train_labels, classes),
        Split(test_images, test_labels, classes),
        digest,
        class_names,
        str(files.folder),
    )


def compute_digest(checksums: Mapping[str, str]) -> str:
    """Return the digest of a dataset from the SHA-256 of its arrays, by file name in IDX order."""
    return sha256("".join(checksums.values()).encode()).hexdigest()[:_DIGEST_LENGTH]


FASHION_MNIST_DIGEST: Final = compute_digest(sources.FASHION_MNIST.checksums)


def _read_class_names(path: Path) -> tuple[str, ...] | None:
    """Read one name per line, without blank lines at the end; None without such a file."""
    try:
        with path.open("rb") as file:
            content = file.read(_CLASS_NAMES_BYTES)
        names = tuple(map(str.strip, content.decode("utf-8-sig").rstrip().splitlines()))
        different = len(set(names) - {""})
        if not 2 <= len(names) <= MAX_CLASSES or different != len(names):
            raise ValueError(f"{len(names)} lines with {different} different names")
        if (longest := max(map(len, names))) > _MAX_NAME_LENGTH:
            raise ValueError(f"a name of {longest} characters")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{path}: expected 2 to {MAX_CLASSES} different class names in UTF-8, one per line, "
            f"each of at most {_MAX_NAME_LENGTH} characters, got {error}; correct or remove the "
            "file"
        ) from error
    return names
