"""Numbers derived from one Evaluation.

NumPy alone: importing scikit-learn's metrics would cost more time than all of these scores.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fmnist.results.training import CLASSES, Evaluation

# Keras clips probabilities to [1e-7, 1 - 1e-7] before the logarithm (keras.config.epsilon()); the
# same bounds keep a loss worked out here comparable with the one that was trained on.
CLIP = 1e-7

# The number of bins of Guo et al. (2017), table 1.
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ClassScore:
    """How well one class was found; a ratio without cases (0 / 0) is 0.

    Args:
        label: the class, 0 to 9.
        precision: share of the images given this class that belong to it.
        recall: share of the images of this class that were given it.
        f1: harmonic mean of precision and recall.
        support: images of this class.
        predicted: images that were given this class.
    """

    label: int
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


def accuracy(evaluation: Evaluation) -> float:
    """Share of images whose most probable class is the true one, 0 to 1."""
    return float(np.mean(evaluation.predicted == evaluation.labels))


def cross_entropy(evaluation: Evaluation) -> float:
    """Mean negative log likelihood of the true classes, in nats."""
    rows = np.arange(len(evaluation.labels))
    likelihoods = evaluation.probabilities[rows, evaluation.labels].astype(np.float64)
    return float(-np.log(likelihoods.clip(CLIP, 1 - CLIP)).mean())


def confusion_counts(evaluation: Evaluation) -> npt.NDArray[np.int64]:
    """(10, 10) int64, images of true class `row` that were given class `column`."""
    cells = evaluation.labels * CLASSES + evaluation.predicted
    return np.bincount(cells, minlength=CLASSES**2).reshape(CLASSES, CLASSES).astype(np.int64)


def per_class(evaluation: Evaluation) -> tuple[ClassScore, ...]:
    """One row a class, in label order, classes without any image included."""
    counts = confusion_counts(evaluation)
    hits, supports, predictions = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return tuple(
        ClassScore(
            label=label,
            precision=_ratio(hits[label], predictions[label]),
            recall=_ratio(hits[label], supports[label]),
            f1=_ratio(2 * hits[label], supports[label] + predictions[label]),
            support=int(supports[label]),
            predicted=int(predictions[label]),
        )
        for label in range(CLASSES)
    )


def macro_f1(evaluation: Evaluation) -> float:
    """Unweighted mean of F1 over the classes that occur as truth or as prediction, 0 to 1."""
    return float(np.mean([row.f1 for row in per_class(evaluation) if row.support or row.predicted]))


def expected_calibration_error(evaluation: Evaluation) -> float:
    """Mean distance between the top probability and the accuracy, 0 (calibrated) to 1.

    Images are put in bins of equal width by their top probability, each bin open below and closed
    above; the distance of a bin's mean probability from its accuracy is weighted by its share of
    the images. C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural
    Networks", ICML 2017, equations 2, 3 and 5.
    """
    # Rounding may leave a float32 probability a hair above 1, which must not open another bin.
    confidences = evaluation.probabilities.max(axis=1).astype(np.float64).clip(max=1.0)
    right = evaluation.predicted == evaluation.labels
    bins = np.ceil(confidences * CALIBRATION_BINS).astype(np.int64)
    # A bin's |accuracy - confidence| times its share is |sum(right - confidence)| / n.
    gaps = np.bincount(bins, weights=right - confidences)
    return float(np.abs(gaps).sum() / len(bins))


def mistakes(evaluation: Evaluation, count: int) -> npt.NDArray[np.int64]:
    """(at most `count`,) int64, rows answered wrongly, the highest top probability first.

    Equal probabilities keep the order of the rows.
    """
    if count < 1:
        raise ValueError(f"wanted a count of at least 1, got {count}")
    wrong = np.flatnonzero(evaluation.predicted != evaluation.labels)
    confidences = evaluation.probabilities[wrong].max(axis=1)
    return wrong[np.argsort(-confidences, kind="stable")][:count]


def _ratio(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else 0.0
