"""Images that occur more than once, byte for byte."""

import numpy as np
import numpy.typing as npt

from fmnist.data.dataset import Split
from fmnist.results.eda import Repeats, Rows


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
