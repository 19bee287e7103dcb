"""What `eda` does itself, against the plain way to do it, side by side on all real images.

    python -m benchmarks.eda [--repeats 5] [--data_dir DIR]

Both ways alternate in one process; medians and their ratio are printed.
"""

import argparse
import os
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from sklearn.decomposition import PCA

from fmnist.data import dataset
from fmnist.data.duplicates import first_occurrences
from fmnist.data.idx import Bytes
from fmnist.data.pixel_stats import components, correlation, moments


def hashed(images: Bytes) -> object:
    return first_occurrences(images)


def sorted_rows(images: Bytes) -> object:
    """numpy's answer to the same question: for each row the first that equals it."""
    flat = images.reshape(len(images), -1)
    _, first, inverse = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    return first[inverse.ravel()]


def one_pass(images: Bytes) -> object:
    """Moments, correlations and all principal components."""
    found = moments(images)
    return correlation(found), components(found)


def two_libraries(images: Bytes) -> object:
    """numpy's correlations and scikit-learn's components, each with its own pass."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    return np.corrcoef(flat.T), PCA(svd_solver="covariance_eigh").fit(flat)


def main() -> None:
    """Print one line a comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data_dir", default="auto")
    given = parser.parse_args()

    data = dataset.load(given.data_dir, "auto")
    everything = np.concatenate([data.train.images, data.test.images])
    if not np.array_equal(hashed(everything), sorted_rows(everything)):
        raise SystemExit("the two ways to find duplicates disagree")
    print(f"{len(os.sched_getaffinity(0))} cores, median of {given.repeats}")
    compare("exact duplicates, 70,000 images: dictionary / np.unique(axis=0)",
            hashed, sorted_rows, everything, given.repeats)  # fmt: skip
    compare("correlation and PCA, 60,000 images: one pass / corrcoef and scikit-learn",
            one_pass, two_libraries, data.train.images, given.repeats)  # fmt: skip


def compare(
    what: str,
    ours: Callable[[Bytes], object],
    plain: Callable[[Bytes], object],
    images: Bytes,
    repeats: int,
) -> None:
    """Time both in turns and print the medians, the smallest times and the ratio."""
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for seconds, way in zip(took, (ours, plain), strict=True):
            start = time.perf_counter()
            way(images)
            seconds.append(time.perf_counter() - start)
    one, other = median(took[0]), median(took[1])
    print(
        f"{what}: {one:.2f} s (least {min(took[0]):.2f}) / {other:.2f} s "
        f"(least {min(took[1]):.2f}), {other / one:.1f} times as fast",
        flush=True,
    )


if __name__ == "__main__":
    main()
