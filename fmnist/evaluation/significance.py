"""How sure a measured score is."""

from collections.abc import Sequence

import numpy as np


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Lower and upper bound of an accuracy measured as `correct` of `total` images.

    The score interval without continuity correction: E. B. Wilson, "Probable Inference, the Law of
    Succession, and Statistical Inference", JASA 22, 1927. It stays within 0 to 1 and does not
    collapse when every answer is right.
    """
    # scipy.stats takes longer to import than everything else in this package.
    from scipy.stats import binomtest

    interval = binomtest(correct, total).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def cross_validation_interval(
    scores: Sequence[float], folds: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Lower and upper bound of the mean score, by the corrected resampled t-test.

    The folds' training rows overlap, so their scores vary together and the plain t interval is
    too narrow: its variance s² / k becomes s² (1 / k + 1 / (folds - 1)), the second term the ratio
    of held-out to training rows. C. Nadeau and Y. Bengio, "Inference for the Generalization
    Error", Machine Learning 52, 2003; with k = folds x repeats as in R. Bouckaert and E. Frank,
    "Evaluating the Replicability of Significance Tests for Comparing Learning Algorithms", 2004.

    Args:
        scores: one for each fold of each repeat, k >= 2.
        folds: how many parts the rows were divided into.
    """
    from scipy.stats import t

    k = len(scores)
    error = np.std(scores, ddof=1) * np.sqrt(1 / k + 1 / (folds - 1))
    half = float(t.ppf((1 + confidence) / 2, k - 1) * error)
    mean = float(np.mean(scores))
    return mean - half, mean + half


def expected_interval(
    earlier: Sequence[float], fold_std: float, folds: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Where the mean of one more cross-validation of the same configuration should fall.

    The t prediction interval from the earlier means. Runs on one machine repeat each other to the
    last digit, which would make every other machine an alarm: the interval is never narrower than
    a plain t interval of one run's mean.

    Args:
        earlier: means of earlier runs, at least two.
        fold_std: population standard deviation between the folds of an earlier run.
        folds: how many folds that run had.
    """
    from scipy.stats import t

    runs = len(earlier)
    quantile = (1 + confidence) / 2
    predicted = t.ppf(quantile, runs - 1) * np.std(earlier, ddof=1) * np.sqrt(1 + 1 / runs)
    chance = t.ppf(quantile, folds - 1) * fold_std / np.sqrt(folds - 1)
    half, mean = float(max(predicted, chance)), float(np.mean(earlier))
    return mean - half, mean + half
