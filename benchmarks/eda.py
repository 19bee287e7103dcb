"""Compare the search for exact duplicates of `eda` with `numpy.unique`, on all images.

    python -m benchmarks.eda [--repeats 3] [--data_dir DIR]

Both solutions alternate in one process and must give the same result.
"""

import os

import numpy as np

from benchmarks.measuring import argument_parser, format_spread, print_table, run_in_turns
from fmnist.data import dataset
from fmnist.data.duplicates import first_occurrences
from fmnist.data.idx import Bytes


def unique_rows(images: Bytes) -> np.ndarray:
    _, first, inverse = np.unique(
        images.reshape(len(images), -1), axis=0, return_index=True, return_inverse=True
    )
    return first[inverse.ravel()]


def main() -> None:
    arguments = argument_parser(__doc__, repeats=3).parse_args()
    data = dataset.load(arguments.data_dir, "auto")
    images = np.concatenate([data.train.images, data.test.images])
    results, times = run_in_turns(
        {"eda": lambda: first_occurrences(images), "numpy.unique": lambda: unique_rows(images)},
        arguments.repeats,
    )
    np.testing.assert_array_equal(*results.values())
    print(f"{len(images):,} images, {os.cpu_count()} cores, median (range) of seconds")
    print_table(list(times), [[format_spread(clocks[:, 0]) for clocks in times.values()]])


if __name__ == "__main__":
    main()
