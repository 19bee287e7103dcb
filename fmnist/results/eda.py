"""Results of the exploratory data analysis."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

VALUES: Final = 256
VARIANCE_FRACTIONS: Final = (0.9, 0.95, 0.99)

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SplitAudit:
    """Statistics of the images and labels of one split.

    Args:
        histogram: (classes, 256) int64, number of pixels of each class with each value.
        class_counts: (classes,) int64, number of images of each class.
        blank: rows of the images whose pixels are all 0.
        constant: rows of the images whose pixels are all equal, but not 0.
        corner_median: median value of the images' four corner pixels, 0 to 255.
    """

    histogram: Rows
    class_counts: Rows
    blank: Rows
    constant: Rows
    corner_median: float

    @property
    def rows(self) -> int:
        return int(self.class_counts.sum())

    @cached_property
    def mean(self) -> float:
        return pixel_mean(self.histogram.sum(axis=0))

    @cached_property
    def std(self) -> float:
        return pixel_std(self.histogram.sum(axis=0))

    @property
    def extremes(self) -> tuple[int, int]:
        """Smallest and largest pixel value."""
        values = np.flatnonzero(self.histogram.sum(axis=0))
        return int(values[0]), int(values[-1])

    @property
    def missing_classes(self) -> list[int]:
        return np.flatnonzero(self.class_counts == 0).tolist()

    @property
    def imbalance(self) -> float:
        """Ratio of the largest class to the smallest nonempty class; 1 is balanced."""
        present = self.class_counts[self.class_counts > 0]
        return float(present.max() / present.min())


@dataclass(frozen=True, eq=False)
class ExactDuplicates:
    """Rows of images that occur more than once; all row arrays are sorted int64.

    Args:
        train: training rows that equal an earlier training row.
        test: test rows that equal an earlier test row.
        train_in_test: training rows that equal a test row.
        test_in_train: test rows that equal a training row.
        label_conflicts: number of rows in both splits that equal a row with another label.
    """

    train: Rows
    test: Rows
    train_in_test: Rows
    test_in_train: Rows
    label_conflicts: int


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Pairs of a test and a training image that differ only slightly.

    Args:
        pairs: `test_index`, `train_index`, `test_label`, `train_label`, `structural_similarity`,
            most similar first; an image may belong to several pairs.
        pairs_compared: number of pairs for which the structural similarity was computed.
    """

    pairs: "pd.DataFrame"
    pairs_compared: int


@dataclass(frozen=True, eq=False)
class Embedding:
    """A t-SNE embedding (n, 2) float32.

    Args:
        kl_divergence: Kullback-Leibler divergence after the last iteration.
    """

    points: npt.NDArray[np.float32]
    kl_divergence: float
    iterations: int


@dataclass(frozen=True)
class EmbeddingQuality:
    """Quality of an embedding, measured on a sample of its rows.

    Args:
        trustworthiness: Venna and Kaski (2001), 0 to 1, within the sample.
        embedding_agreement: fraction of nearest neighbors in the embedding with the same label.
        pixel_agreement: the same for nearest neighbors in pixel space.
        neighbors: number of nearest neighbors.
        rows: size of the sample.
    """

    trustworthiness: float
    embedding_agreement: float
    pixel_agreement: float
    neighbors: int
    rows: int


@dataclass(frozen=True, eq=False)
class Exploration:
    """All results; `images`, `labels` and `scores` hold the training rows, then the test rows.

    Args:
        images: (n, 28, 28) uint8, 0 is background.
        labels: (n,) uint8.
        class_names: names in label order.
        digest: identifies the contents of the dataset.
        class_means, class_stds: (classes, 28, 28) float64, mean and population standard
            deviation of each class's training images; NaN for a class without images.
        samples: some training rows of each label.
        correlations: (784, 784) float64, Pearson correlation of the training pixels; NaN for
            constant pixels.
        explained_variance: (784,) fraction of the training variance of each component.
        scores: (n, 50) float32, scores on the first principal components.
        tsne_rows: (m,) int64, sorted rows in the t-SNE embedding.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    class_names: tuple[str, ...]
    digest: str
    train: SplitAudit
    test: SplitAudit
    class_means: Floats
    class_stds: Floats
    samples: dict[int, list[int]]
    exact: ExactDuplicates
    near: NearDuplicates
    correlations: Floats
    explained_variance: npt.NDArray[np.floating]
    scores: npt.NDArray[np.float32]
    tsne_rows: Rows
    embedding: Embedding
    quality: EmbeddingQuality

    @property
    def constant_pixels(self) -> Rows:
        """Pixels, 0 to 783, with the same value in all training images."""
        return np.flatnonzero(np.isnan(np.diag(self.correlations)))

    def components_for(self, fraction: float) -> int:
        """Return the number of components that explain this fraction of the variance."""
        return int(np.searchsorted(np.cumsum(self.explained_variance), fraction - 1e-7)) + 1


def pixel_mean(counts: Rows) -> float:
    """Return the mean pixel value of a histogram (256,)."""
    return float(counts @ np.arange(VALUES) / counts.sum())


def pixel_std(counts: Rows) -> float:
    """Return the population standard deviation of a histogram (256,)."""
    squares = counts @ np.arange(VALUES) ** 2 / counts.sum()
    return float(np.sqrt(max(squares - pixel_mean(counts) ** 2, 0.0)))
