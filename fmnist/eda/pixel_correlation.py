"""Correlations of pixels summed up by how far apart the pixels are."""

import numpy as np

from fmnist.results.eda import ByDistance, Floats


def by_distance(table: Floats) -> ByDistance:
    """What a square grid's correlations (p, p) come to by distance; NaN pairs are left out."""
    side = round(np.sqrt(len(table)))
    rows, columns = np.divmod(np.arange(side * side), side)
    one, other = np.triu_indices(side * side, k=1)
    values = table[one, other]
    apart = np.hypot(rows[one] - rows[other], columns[one] - columns[other])
    known = ~np.isnan(values)
    values, rounded = values[known], np.rint(apart[known]).astype(np.int64)
    order = np.argsort(rounded, kind="stable")
    distances, starts = np.unique(rounded[order], return_index=True)
    groups = np.split(values[order], starts[1:]) if len(values) else []
    quartiles = np.array([np.quantile(group, (0.25, 0.75)) for group in groups]).reshape(-1, 2)
    return ByDistance(
        distances.astype(np.float64),
        np.array([group.mean() for group in groups]),
        quartiles[:, 0],
        quartiles[:, 1],
        np.array([len(group) for group in groups], np.int64),
    )


def adjacent(table: Floats) -> float | None:
    """The mean correlation of pixels side by side or one above the other; None without any."""
    side = round(np.sqrt(len(table)))
    places = np.arange(side * side).reshape(side, side)
    ones = np.concatenate([places[:, :-1].ravel(), places[:-1].ravel()])
    others = np.concatenate([places[:, 1:].ravel(), places[1:].ravel()])
    values = table[ones, others]
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
