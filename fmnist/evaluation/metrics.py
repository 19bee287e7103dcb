"""Classification metrics of one model.

Implemented with NumPy, because importing scikit-learn's metrics takes longer than computing them.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fmnist.results.training import Evaluation

# Keras clips probabilities to [1e-7, 1 - 1e-7] before the logarithm (keras.config.epsilon()).
CLIP = 1e-7

# The number of bins of Guo et al. (2017), table 1.
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class.

    Args:
        precision: fraction of the images predicted as this class that belong to it; 0 without any.
        recall: fraction of the images of this class that are predicted as it; NaN without any.
        f1: harmonic mean of precision and recall; NaN for a class without images.
        support: number of images of this class.
        predicted: number of images predicted as this class.
    """

    label: int
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


def accuracy(evaluation: Evaluation) -> float:
    """Fraction of images whose most probable class is the true class."""
    return float(np.mean(evaluation.predicted == evaluation.labels))


def cross_entropy(evaluation: Evaluation) -> float:
    """Mean negative log likelihood of the true classes, in nats."""
    rows = np.arange(len(evaluation.labels))
    likelihoods = evaluation.probabilities[rows, evaluation.labels].astype(np.float64)
    return float(-np.log(likelihoods.clip(CLIP, 1 - CLIP)).mean())


def confusion_counts(evaluation: Evaluation) -> npt.NDArray[np.int64]:
    """(classes, classes) int64, images by true class (row) and predicted class (column)."""
    classes = evaluation.classes
    cells = evaluation.labels * classes + evaluation.predicted
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def per_class(evaluation: Evaluation) -> tuple[ClassScore, ...]:
    """The scores of all classes in label order, including classes without images."""
    counts = confusion_counts(evaluation)
    columns = counts.diagonal().tolist(), counts.sum(axis=1).tolist(), counts.sum(axis=0).tolist()
    return tuple(
        ClassScore(
            label=label,
            precision=hits / max(predicted, 1),
            recall=hits / support if support else math.nan,
            f1=2 * hits / (support + predicted) if support else math.nan,
            support=support,
            predicted=predicted,
        )
        for label, (hits, support, predicted) in enumerate(zip(*columns, strict=True))
    )


def macro_f1(evaluation: Evaluation) -> float:
    """Unweighted mean of F1 over the classes with images."""
    return float(np.mean([row.f1 for row in per_class(evaluation) if row.support]))


def balanced_accuracy(evaluation: Evaluation) -> float:
    """Unweighted mean of the recall over the classes with images."""
    return float(np.mean([row.recall for row in per_class(evaluation) if row.support]))


def expected_calibration_error(evaluation: Evaluation) -> float:
    """Mean difference between confidence and accuracy, 0 (calibrated) to 1.

    The confidence of an image is its highest probability. Images are divided into bins of equal
    width by confidence; the absolute difference between mean confidence and accuracy of each bin is
    weighted by its fraction of the images. C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On
    Calibration of Modern Neural Networks", ICML 2017, equations 2, 3 and 5.
    """
    # Rounding can leave a float32 probability slightly above 1, which would be in an extra bin.
    confidences = evaluation.probabilities.max(axis=1).astype(np.float64).clip(max=1.0)
    correct = evaluation.predicted == evaluation.labels
    bins = np.ceil(confidences * CALIBRATION_BINS).astype(np.int64)
    # |accuracy - confidence| of a bin times its fraction is |sum(correct - confidence)| / n.
    gaps = np.bincount(bins, weights=correct - confidences)
    return float(np.abs(gaps).sum() / len(bins))


def mistakes(evaluation: Evaluation, count: int) -> npt.NDArray[np.int64]:
    """Rows that are classified incorrectly, most confident first: (at most `count`,) int64."""
    wrong = np.flatnonzero(evaluation.predicted != evaluation.labels)
    confidences = evaluation.probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidences, kind="stable")][:count]
