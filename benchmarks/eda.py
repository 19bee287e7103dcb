"""Compare the search for exact duplicates of `eda` with `numpy.unique`, on all images.

    python -m benchmarks.eda [--repeats 3] [--data_dir DIR]

Both solutions alternate in one process and must give the same result.
"""

import os
import time
from collections.abc import Callable

import numpy as np

from benchmarks.measuring import argument_parser, format_spread, print_table
from fmnist.data import dataset
from fmnist.data.duplicates import first_occurrences
from fmnist.data.idx import Bytes


def unique_rows(images: Bytes) -> Bytes:
    _, first, inverse = np.unique(
        images.reshape(len(images), -1), axis=0, return_index=True, return_inverse=True
    )
    return first[inverse.ravel()]


def main() -> None:
    """Print a table with one row for each comparison."""
    arguments = argument_parser(__doc__, repeats=3).parse_args()
    data = dataset.load(arguments.data_dir, "auto")
    images = np.concatenate([data.train.images, data.test.images])
    rows = [
        compare("numpy.unique", first_occurrences, unique_rows, images, arguments.repeats),
    ]
    print(f"{len(images):,} images, {os.cpu_count()} cores, median (range) of seconds")
    print_table(("task, reference", "eda", "reference"), rows)


def compare(
    name: str,
    ours: Callable[[Bytes], np.ndarray],
    reference: Callable[[Bytes], np.ndarray],
    images: Bytes,
    repeats: int,
) -> tuple[str, str, str]:
    seconds: tuple[list[float], list[float]] = ([], [])
    results = {}
    for _ in range(repeats):
        for times, function in zip(seconds, (ours, reference), strict=True):
            start = time.perf_counter()
            results[function] = function(images)
            times.append(time.perf_counter() - start)
    np.testing.assert_allclose(results[ours], results[reference], atol=1e-9)
    return name, format_spread(seconds[0]), format_spread(seconds[1])


if __name__ == "__main__":
    main()
