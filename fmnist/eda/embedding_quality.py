"""How far a layout in the plane can be believed: neighbors kept, neighbors invented."""

from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.eda.neighbors import nearest
from fmnist.results.eda import Quality

# Enough rows for two decimals; every one of them is compared with all images.
SAMPLE: Final = 3000
NEIGHBOURS: Final = 10


def quality(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    points: npt.NDArray[np.float32],
    seed: int,
) -> Quality:
    """The quality of the layout `points` (n, 2) of images (n, ...) with labels (n,), n > 3."""
    from sklearn.manifold import trustworthiness

    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(points), min(SAMPLE, len(points)), replace=False))
    flat = images.reshape(len(images), -1).astype(np.float32)
    # scikit-learn asks for fewer neighbors than half the points.
    within = min(NEIGHBOURS, (len(rows) - 1) // 2)
    count = min(NEIGHBOURS, len(points) - 1)
    return Quality(
        trustworthiness=float(trustworthiness(flat[rows], points[rows], n_neighbors=within)),
        plane_agreement=agreement(points, labels, rows, count),
        pixel_agreement=agreement(flat, labels, rows, count),
        neighbors=count,
        rows=len(rows),
    )


def agreement(
    points: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    count: int,
) -> float:
    """The share of the `count` nearest neighbors of some rows that have the label of their row."""
    found, _ = nearest(points, count, rows)
    return float(np.mean(labels[found] == labels[rows][:, None]))
