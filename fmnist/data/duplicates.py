"""Find exact and near-duplicates, and select the training rows that a run uses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.data.dataset import Split
from fmnist.data.idx import Bytes
from fmnist.data.pca import fit_pca, project
from fmnist.data.splits import stratified_subset
from fmnist.options.train import FitOptions
from fmnist.results.eda import ExactDuplicates, NearDuplicates, Rows

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

Floats = npt.NDArray[np.floating]

# At 28 x 28 pixels, images of this structural similarity are hard to tell apart. With a much
# lower limit, thousands of pairs of plain trousers would count as duplicates.
MIN_SIMILARITY: Final = 0.97
# Largest squared difference of a pair as a fraction of the test image's squared pixels. Among the
# pairs of nearest neighbors in Fashion-MNIST above MIN_SIMILARITY, the largest was 0.036.
MAX_DIFFERENCE: Final = 0.06
MAX_CANDIDATES: Final = 200  # nearest training images compared with each test image

_TEST_BLOCK: Final = 128
_PAIR_BLOCK: Final = 4096
_ROUNDING: Final = 1e-5  # relative error of a float32 dot product


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The training rows that a run uses.

    Args:
        split: images and labels of these rows.
        numbers: (n,) int64, sorted, the number of each row in the training file.
        dropped: number of dropped rows by metric name, empty if duplicates are kept. A row with
            several reasons counts for the first: repeats an earlier training row, equals a test
            row, nearly equals a test row.
    """

    split: Split
    numbers: Rows
    dropped: dict[str, float]


def select_training_rows(options: FitOptions, train: Split, test: Split) -> TrainingRows:
    """Apply `drop_duplicates` and `train_size`; `train`, `tune` and `crossval` call this.

    Raises:
        BadInput: fewer rows remain than `train_size`, or a class has none.
    """
    rows = np.arange(len(train))
    dropped: dict[str, float] = {}
    if options.drop_duplicates == "on":
        rows, dropped = drop_duplicates(train, test)
    numbers = rows[stratified_subset(train.labels[rows], options.train_size, options.split_seed)]
    return TrainingRows(train.take(numbers), numbers, dropped)


def drop_duplicates(train: Split, test: Split) -> tuple[Rows, dict[str, float]]:
    """Return the training rows without duplicates and the counts in `TrainingRows.dropped`.

    The first of several equal training images is kept, whatever their labels. Test labels are not
    used, and no test row is dropped.
    """
    exact = find_exact_duplicates(train, test)
    near = np.empty(0, np.int64)
    if (train.images != train.images[0]).any():
        near = find_near_duplicates(train, test, fit_pca(train.images)).train
    test_copies = np.setdiff1d(exact.train_in_test, exact.train)
    near_copies = np.setdiff1d(near, np.union1d(exact.train, exact.train_in_test))
    dropped = np.concatenate([exact.train, test_copies, near_copies])
    counts: dict[str, float] = {
        names.DROPPED_ROWS: len(dropped),
        names.DROPPED_REPEATS: len(exact.train),
        names.DROPPED_TEST_COPIES: len(test_copies),
        names.DROPPED_NEAR_TEST_COPIES: len(near_copies),
    }
    return np.setdiff1d(np.arange(len(train)), dropped), counts


def first_occurrences(images: Bytes) -> Rows:
    """Return for each image the first row with the same bytes, (n,) int64."""
    first: dict[bytes, int] = {}
    rows = (first.setdefault(image.tobytes(), row) for row, image in enumerate(images))
    return np.fromiter(rows, np.int64, len(images))


def find_exact_duplicates(train: Split, test: Split) -> ExactDuplicates:
    """Find images with equal bytes within and across the two splits."""
    first = first_occurrences(np.concatenate([train.images, test.images]))
    labels = np.concatenate([train.labels, test.labels])
    train_first, test_first = first[: len(train)], first[len(train) :]
    # A test row may first occur in the training split: look for its first test row.
    _, test_rows, inverse = np.unique(test_first, return_index=True, return_inverse=True)
    other_label = labels != labels[first]
    return ExactDuplicates(
        train=np.flatnonzero(train_first != np.arange(len(train))),
        test=np.flatnonzero(test_rows[inverse] != np.arange(len(test))),
        train_in_test=np.flatnonzero(np.isin(train_first, test_first)),
        test_in_train=np.flatnonzero(test_first < len(train)),
        label_conflicts=int(np.isin(first, first[other_label]).sum()),
    )


def find_near_duplicates(
    train: Split,
    test: Split,
    pca: "PCA",
    progress: Callable[[float], None] = lambda fraction: None,
) -> NearDuplicates:
    """Find pairs of a test and a training image that differ only slightly.

    Candidates are selected by their distance on the first principal components, which is never
    larger than the distance between the images, then by the images' squared difference. The
    remaining pairs are compared by structural similarity.

    Args:
        pca: fitted to the training images.
        progress: called with the completed fraction, 0 to 1.
    """
    energies = np.einsum("ijk,ijk->i", test.images, test.images, dtype=np.int64)
    compared = 0
    pairs = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    for rows, matches in _candidates(train, test, pca, energies, progress):
        ones, others = test.images[rows], train.images[matches]
        differences = np.einsum("ijk->i", (ones.astype(np.float32) - others) ** 2)
        close = (differences <= MAX_DIFFERENCE * energies[rows]) & (differences > 0)
        compared += int(close.sum())
        similarities = structural_similarities(ones[close], others[close])
        similar = similarities >= MIN_SIMILARITY
        pairs.append((rows[close][similar], matches[close][similar], similarities[similar]))
    rows, matches, similarities = map(np.concatenate, zip(*pairs, strict=True))
    order = np.lexsort((matches, rows, -similarities))
    return NearDuplicates(
        test=rows[order],
        train=matches[order],
        similarities=similarities[order],
        pairs_compared=compared,
        min_similarity=MIN_SIMILARITY,
        max_difference=MAX_DIFFERENCE,
    )


def _candidates(
    train: Split, test: Split, pca: "PCA", energies: Rows, progress: Callable[[float], None]
) -> Iterator[tuple[Rows, Rows]]:
    """Yield blocks of test and training rows whose first principal components are close."""
    scores = project(pca, train.images)
    # |x - y|^2 <= limit is x.y - |y|^2 / 2 >= (|x|^2 - limit) / 2: one matrix product.
    extended = np.hstack([scores, -0.5 * np.einsum("ij,ij->i", scores, scores)[:, None]]).T
    for start in range(0, len(test), _TEST_BLOCK):
        rows = np.arange(start, min(start + _TEST_BLOCK, len(test)))
        test_scores = project(pca, test.images[rows])
        products = np.hstack([test_scores, np.ones((len(rows), 1), np.float32)]) @ extended
        squares = np.einsum("ij,ij->i", test_scores, test_scores) * (1 - _ROUNDING)
        limits = (squares - MAX_DIFFERENCE * energies[rows]) / 2
        close = products >= limits.astype(np.float32)[:, None]
        for row in np.flatnonzero(close.sum(axis=1) > MAX_CANDIDATES):
            nearest = np.argpartition(-products[row], MAX_CANDIDATES - 1)[:MAX_CANDIDATES]
            close[row] = False
            close[row, nearest] = True
        tests, matches = np.nonzero(close)
        for block in range(0, len(tests), _PAIR_BLOCK):
            part = slice(block, block + _PAIR_BLOCK)
            yield rows[tests[part]], matches[part]
        progress((rows[-1] + 1) / len(test))


def structural_similarities(ones: Bytes, others: Bytes) -> npt.NDArray[np.float64]:
    """Return the mean structural similarity of each pair of images (n, 28, 28), (n,) float64."""
    from skimage.metrics import structural_similarity  # takes half a second to import

    if not len(ones):
        return np.empty(0)
    # The pairs are passed as channels, which scikit-image compares one by one.
    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]
        ones, others, data_range=255, channel_axis=0, full=True
    )
    # Windows of 7 x 7 pixels at the edge would extend beyond the image.
    means: npt.NDArray[np.float64] = similarity[:, 3:-3, 3:-3].mean(axis=(1, 2))
    return means
