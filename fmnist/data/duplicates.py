"""Images that occur more than once, byte for byte."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fmnist.data.dataset import Split

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Repeats:
    """The rows of both splits that repeat an earlier one.

    Args:
        train: rows of the training images that equal an earlier training row, sorted.
        test: rows of the test images that equal an earlier test row, sorted.
        leaked: training rows that equal some test row, sorted.
        shown: test rows that equal some training row, sorted.
        conflicting: how many rows, of both splits, share their bytes with a row of another label.
    """

    train: Rows
    test: Rows
    leaked: Rows
    shown: Rows
    conflicting: int


def first_occurrences(images: npt.NDArray[np.uint8]) -> Rows:
    """(n,) int64, for each image the first row that holds the same bytes (itself, if new)."""
    size = images[0].nbytes
    content = np.ascontiguousarray(images).data.cast("B").tobytes()
    # A dictionary compares the bytes themselves wherever hashes agree: no collision can pass.
    seen: dict[bytes, int] = {}
    return np.fromiter(
        (
            seen.setdefault(content[start : start + size], row)
            for row, start in enumerate(range(0, len(content), size))
        ),
        np.int64,
        len(images),
    )


def repeats(train: Split, test: Split) -> Repeats:
    """The exact duplicates within and across the splits."""
    first = first_occurrences(np.concatenate([train.images, test.images]))
    labels = np.concatenate([train.labels, test.labels])
    in_train, in_test = first[: len(train)], first[len(train) :]
    shown = in_test < len(train)
    # Test rows count against each other only, so their first occurrence is looked for anew.
    _, places, inverse = np.unique(in_test, return_index=True, return_inverse=True)
    other = labels != labels[first]
    return Repeats(
        train=np.flatnonzero(in_train != np.arange(len(train))),
        test=np.flatnonzero(places[inverse] != np.arange(len(test))),
        leaked=np.flatnonzero(np.isin(in_train, in_test)),
        shown=np.flatnonzero(shown),
        conflicting=int(np.isin(first, first[other]).sum()),
    )
