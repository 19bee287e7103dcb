"""Nearest neighbors, exact, by scikit-learn's blocked matrix products."""

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def nearest(
    points: npt.NDArray[np.floating], count: int, rows: Rows | None = None
) -> tuple[Rows, npt.NDArray[np.float64]]:
    """The `count` nearest other points of each row asked for, nearest first.

    Args:
        points: (n, d) float32 or float64, n > count.
        rows: (m,) whose neighbors to find; None for those of all points.

    Returns:
        (m, count) int64 rows and (m, count) float64 Euclidean distances.
    """
    from sklearn.neighbors import NearestNeighbors

    # In a plane a tree looks at a few points only; in many dimensions it would look at all.
    method = "kd_tree" if points.shape[1] <= 3 else "brute"
    search = NearestNeighbors(algorithm=method).fit(points)
    if rows is None:
        distances, found = search.kneighbors(n_neighbors=count)
        return found, distances
    # A copy of the point may come before the point itself: it is left out by its row.
    distances, found = search.kneighbors(points[rows], n_neighbors=count + 1)
    other = found != rows[:, None]
    other[other.all(axis=1), -1] = False
    shape = (len(rows), count)
    return found[other].reshape(shape), distances[other].reshape(shape)
