"""Test images that are, to the eye, training images: the leak that flatters every test score.

Pairs are looked for in the plane of the first principal components, where a distance is never
longer than between the images themselves: a pair left out there is no pair. What remains is
measured pixel by pixel, then by structural similarity (Wang, Bovik, Sheikh and Simoncelli, "Image
quality assessment: from error visibility to structural similarity", 2004).
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.data.dataset import Split
from fmnist.data.pixel_stats import Components
from fmnist.results.eda import NearDuplicates, Rows

Floats = npt.NDArray[np.float32]

# From here up two images are hard to tell apart at 28 x 28 pixels; far below, Fashion-MNIST's
# plain trousers resemble each other by the thousand without being the same picture.
SIMILARITY: Final = 0.97
# The squared difference of a pair, as a share of the test image's squared pixels. Among the pairs
# of Fashion-MNIST's nearest neighbors above that similarity the largest was 0.036.
DIFFERENCE: Final = 0.06
# Where a test image has more candidates than this, its nearest are looked at.
CANDIDATES: Final = 200

_COMPONENTS: Final = 50
_TEST_BLOCK: Final = 128
_PAIR_BLOCK: Final = 4096
_MARGIN: Final = 1e-3
_ROUNDING: Final = 1e-5

# As in the paper and in scikit-image's default: windows of 7 x 7, K1 = 0.01, K2 = 0.03.
_WINDOW: Final = 7
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def near_duplicates(
    train: Split,
    test: Split,
    components: Components,
    progress: Callable[[float], None] = lambda share: None,
) -> NearDuplicates:
    """The near-duplicates across the splits; pairs of equal bytes are none of them.

    Args:
        components: of the training images.
        progress: is told the share of the work that is done, 0 to 1.
    """
    from skimage.metrics import structural_similarity  # Half a second to import, for one call.

    scores = components.project(train.images, _COMPONENTS)
    # x.y - y.y / 2 grows as the distance of x and y shrinks: one product, one comparison.
    against = np.hstack([scores, -0.5 * np.einsum("ij,ij->i", scores, scores)[:, None]])
    energies = np.einsum("ijk,ijk->i", test.images, test.images, dtype=np.int64)
    products = np.empty((_TEST_BLOCK, len(train)), np.float32)
    found: list[tuple[int, int, float]] = []
    candidates = 0
    for start in range(0, len(test), _TEST_BLOCK):
        rows = np.arange(start, min(start + _TEST_BLOCK, len(test)))
        asked = components.project(test.images[rows], _COMPONENTS)
        lengths = np.einsum("ij,ij->i", asked, asked)
        nearness = products[: len(rows)]
        np.matmul(np.hstack([asked, np.ones((len(rows), 1), np.float32)]), against.T, out=nearness)
        # Rounded down, so that no pair is lost to float32.
        limits = (lengths * (1 - _ROUNDING) - DIFFERENCE * energies[rows]) / 2
        for one, other in _pairs(nearness, limits.astype(np.float32)):
            pairs = rows[one], other
            pairs, looked = _screened(train.images, test.images, pairs, energies)
            candidates += looked
            for row, match in zip(*pairs, strict=True):
                similarity = structural_similarity(  # type: ignore[no-untyped-call]
                    test.images[row], train.images[match], data_range=255
                )
                if similarity >= SIMILARITY:
                    found.append((int(row), int(match), float(similarity)))
        progress((rows[-1] + 1) / len(test))
    found.sort(key=lambda pair: (-pair[2], pair[0], pair[1]))
    columns = list(zip(*found, strict=True)) or [(), (), ()]
    return NearDuplicates(
        np.asarray(columns[0], np.int64),
        np.asarray(columns[1], np.int64),
        np.asarray(columns[2], np.float64),
        candidates,
        SIMILARITY,
        DIFFERENCE,
    )


def _pairs(nearness: Floats, limits: Floats) -> list[tuple[Rows, Rows]]:
    """The places where `nearness` reaches its row's limit, in pieces of `_PAIR_BLOCK` pairs."""
    near = nearness >= limits[:, None]
    for row in np.flatnonzero(near.sum(axis=1) > CANDIDATES):
        nearest = np.argpartition(-nearness[row], CANDIDATES - 1)[:CANDIDATES]
        near[row] = False
        near[row, nearest] = True
    one, other = np.nonzero(near)
    cuts = range(_PAIR_BLOCK, len(one), _PAIR_BLOCK)
    return list(zip(np.split(one, cuts), np.split(other, cuts), strict=True))


def _screened(
    train: npt.NDArray[np.uint8],
    test: npt.NDArray[np.uint8],
    pairs: tuple[Rows, Rows],
    energies: Rows,
) -> tuple[tuple[Rows, Rows], int]:
    """The pairs worth scikit-image's slower look, and how many were compared by similarity."""
    ones, others = test[pairs[0]].astype(np.float32), train[pairs[1]].astype(np.float32)
    differences = np.einsum("ijk->i", (ones - others) ** 2)
    near = (differences <= DIFFERENCE * energies[pairs[0]]) & (differences > 0)
    similar = np.flatnonzero(near)
    similar = similar[_similarities(ones[near], others[near]) >= SIMILARITY - _MARGIN]
    return (pairs[0][similar], pairs[1][similar]), int(near.sum())


def _similarities(ones: Floats, others: Floats) -> Floats:
    """(m,) float32, the mean structural similarity of each pair of images (m, 28, 28)."""
    from scipy.ndimage import uniform_filter

    size = (1, _WINDOW, _WINDOW)
    mean_one, mean_other = uniform_filter(ones, size), uniform_filter(others, size)
    unbiased = _WINDOW**2 / (_WINDOW**2 - 1)
    variance_one = unbiased * (uniform_filter(ones * ones, size) - mean_one**2)
    variance_other = unbiased * (uniform_filter(others * others, size) - mean_other**2)
    covariance = unbiased * (uniform_filter(ones * others, size) - mean_one * mean_other)
    similarity = ((2 * mean_one * mean_other + _C1) * (2 * covariance + _C2)) / (
        (mean_one**2 + mean_other**2 + _C1) * (variance_one + variance_other + _C2)
    )
    edge = _WINDOW // 2
    means: Floats = similarity[:, edge:-edge, edge:-edge].mean(axis=(1, 2))
    return means
