"""Find exact and near-duplicates, and select the training rows that a run uses."""

from collections.abc import Callable
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

# At 28 x 28 pixels, images of this structural similarity are hard to tell apart. With a much
# lower limit, thousands of pairs of plain trousers would count as duplicates.
MIN_SIMILARITY: Final = 0.97
# Largest squared difference of a pair as a fraction of the test image's squared pixels. Among the
# pairs of nearest neighbors in Fashion-MNIST above MIN_SIMILARITY, the largest was 0.036.
MAX_DIFFERENCE: Final = 0.06
MAX_CANDIDATES: Final = 200  # nearest training images compared with each test image

_BLOCK: Final = 128  # test images that are compared at a time
_ROUNDING: Final = 1e-4  # more than the relative error of a squared float32 distance


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
        near = (
            find_near_duplicates(train, test, fit_pca(train.images)).pairs["train_index"].to_numpy()
        )
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
    import pandas as pd

    first = first_occurrences(np.concatenate([train.images, test.images]))
    labels = np.concatenate([train.labels, test.labels])
    train_first, test_first = first[: len(train)], first[len(train) :]
    conflicts = first[labels != labels[first]]
    return ExactDuplicates(
        train=np.flatnonzero(pd.Series(train_first).duplicated()),
        test=np.flatnonzero(pd.Series(test_first).duplicated()),
        train_in_test=np.flatnonzero(np.isin(train_first, test_first)),
        test_in_train=np.flatnonzero(np.isin(test_first, train_first)),
        label_conflicts=int(np.isin(first, conflicts).sum()),
    )


def find_near_duplicates(
    train: Split,
    test: Split,
    pca: "PCA",
    progress: Callable[[float], None] = lambda fraction: None,
) -> NearDuplicates:
    """Find pairs of a test and a training image that differ only slightly.

    Candidates are the nearest training images of each test image by their distance on the first
    principal components, which is never larger than the distance between the images. Those with a
    small squared difference are compared by structural similarity.

    Args:
        pca: fitted to the training images.
        progress: called with the completed fraction, 0 to 1.
    """
    import pandas as pd

    train_scores = project(pca, train.images)
    train_squares = np.einsum("ij,ij->i", train_scores, train_scores)
    compared = 0
    blocks = []
    for start in range(0, len(test), _BLOCK):
        images = test.images[start : start + _BLOCK]
        limits = MAX_DIFFERENCE * np.einsum("ijk,ijk->i", images, images, dtype=np.int64)
        scores = project(pca, images)
        # |x - y|^2 <= limit is x.y - |y|^2 / 2 >= (|x|^2 - limit) / 2: one matrix product.
        products = scores @ train_scores.T - train_squares / 2
        smallest = (np.einsum("ij,ij->i", scores, scores) - limits * (1 + _ROUNDING)) / 2
        candidates = products >= smallest.astype(np.float32)[:, None]
        for row in np.flatnonzero(candidates.sum(axis=1) > MAX_CANDIDATES):
            nearest = np.argpartition(-products[row], MAX_CANDIDATES - 1)[:MAX_CANDIDATES]
            candidates[row] = False
            candidates[row, nearest] = True
        rows, matches = np.nonzero(candidates)
        differences = images[rows].astype(np.float32) - train.images[matches]
        squares = np.einsum("ijk,ijk->i", differences, differences)
        close = (squares > 0) & (squares <= limits[rows])
        rows, matches = rows[close], matches[close]
        compared += len(rows)
        block = pd.DataFrame(
            {
                "test_index": start + rows,
                "train_index": matches,
                "test_label": test.labels[start + rows],
                "train_label": train.labels[matches],
                "structural_similarity": structural_similarities(
                    images[rows], train.images[matches]
                ),
            }
        )
        blocks.append(block[block["structural_similarity"] >= MIN_SIMILARITY])
        progress((start + len(images)) / len(test))
    pairs = pd.concat(blocks).sort_values(
        ["structural_similarity", "test_index", "train_index"],
        ascending=[False, True, True],
        ignore_index=True,
    )
    return NearDuplicates(pairs, compared)


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
