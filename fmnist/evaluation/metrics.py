"""Classification metrics of one model.

Implemented with NumPy, because importing scikit-learn's metrics takes longer than computing them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fmnist.results.training import CLASSES, Evaluation

# Keras clips probabilities to [1e-7, 1 - 1e-7] before the logarithm (keras.config.epsilon()).
CLIP = 1e-7

# The number of bins of Guo et al. (2017), table 1.
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class. A score without cases (0 / 0) is 0.

    Args:
        label: the class, 0 to 9.
        precision: fraction of the images predicted as this class that belong to it.
        recall: fraction of the images of this class that are predicted as it.
        f1: harmonic mean of precision and recall.
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
    """(10, 10) int64, number of images by true class (row) and predicted class (column)."""
    cells = evaluation.labels * CLASSES + evaluation.predicted
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES).astype(np.int64)


def per_class(evaluation: Evaluation) -> tuple[ClassScore, ...]:
    """The scores of all classes in label order, including classes without images."""
    counts = confusion_counts(evaluation)
    hits, supports, predictions = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return tuple(
        ClassScore(
            label=label,
            precision=_divide(hits[label], predictions[label]),
            recall=_divide(hits[label], supports[label]),
            f1=_divide(2 * hits[label], supports[label] + predictions[label]),
            support=int(supports[label]),
            predicted=int(predictions[label]),
        )
        for label in range(CLASSES)
    )


def macro_f1(evaluation: Evaluation) -> float:
    """Unweighted mean of F1 over the classes that occur as true or as predicted class."""
    return float(np.mean([row.f1 for row in per_class(evaluation) if row.support or row.predicted]))


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
    """Rows that are classified incorrectly, most confident first: (at most `count`,) int64.

    Rows of equal confidence keep their order.
    """
    if count < 1:
        raise ValueError(f"expected a count of at least 1, got {count}")
    wrong = np.flatnonzero(evaluation.predicted != evaluation.labels)
    confidences = evaluation.probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidences, kind="stable")][:count]


def _divide(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else 0.0
