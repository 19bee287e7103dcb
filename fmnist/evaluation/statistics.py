"""Confidence intervals and significance tests of accuracies on the same images.

McNemar's test and the bootstrap are valid for trained models only; `procedures.py` has tests that
are valid for new trainings. scipy and statsmodels are imported inside the functions, because they
take longer to import than everything else that a training run needs to report its scores.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

# Differences with a (corrected) p-value below this level are called significant.
SIGNIFICANCE_LEVEL: Final = 0.05

EXACT: Final = "McNemar, exact"
CHI_SQUARED: Final = "McNemar, chi-squared with continuity correction"
# Below this number of discordant rows, McNemar's test uses the binomial distribution.
_EXACT_BELOW: Final = 25
_BOOTSTRAP_SAMPLES: Final = 10_000

Correct = npt.NDArray[np.bool_]


class McNemarTest(NamedTuple):
    """A p-value and the form of the test: `EXACT` or `CHI_SQUARED`."""

    test: str
    p: float


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """95 % confidence interval of an accuracy, `correct` of `total` images.

    The score interval without continuity correction: E. B. Wilson, "Probable Inference, the Law of
    Succession, and Statistical Inference", JASA 22, 1927. Its bounds lie within 0 to 1, and its
    width is not 0 at an accuracy of 0 or 1.
    """
    from scipy.special import ndtri

    return score_interval(correct / total, total, float(ndtri(1 - SIGNIFICANCE_LEVEL / 2)))


def score_interval(mean: float, total: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval with any quantile and with an effective number of images."""
    added = quantile**2 / total
    center = (mean + added / 2) / (1 + added)
    half = (added * mean * (1 - mean) + added**2 / 4) ** 0.5 / (1 + added)
    return max(0.0, center - half), min(1.0, center + half)


def count_discordant(first: Correct, second: Correct) -> tuple[int, int]:
    """Number of rows that only the first model, and only the second model, classifies correctly.

    Args:
        first, second: (n,) bool, whether each model classifies the row correctly.
    """
    return int((first & ~second).sum()), int((second & ~first).sum())


def mcnemar(only_first: int, only_second: int) -> McNemarTest:
    """McNemar's test of equal accuracy on the same rows.

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947; continuity correction by A. Edwards, 1948.

    Args:
        only_first, only_second: see `count_discordant`.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    exact = only_first + only_second < _EXACT_BELOW
    result = test([[0, only_first], [only_second, 0]], exact=exact, correction=True)
    return McNemarTest(EXACT if exact else CHI_SQUARED, float(result.pvalue))


def bootstrap_interval(differences: npt.NDArray[np.float64], seed: int) -> tuple[float, float]:
    """95 % confidence interval of the mean of differences between two models on the same images.

    Percentile bootstrap: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993.
    There are few distinct differences. Drawing their counts from a multinomial distribution is the
    same as resampling images, and much faster.

    Args:
        differences: (images,) the correctness of the first model minus that of the second.
    """
    values, counts = np.unique(differences, return_counts=True)
    rng = np.random.default_rng([seed, *counts])
    total = len(differences)
    means = rng.multinomial(total, counts / total, size=_BOOTSTRAP_SAMPLES) @ values / total
    low, high = np.quantile(means, [SIGNIFICANCE_LEVEL / 2, 1 - SIGNIFICANCE_LEVEL / 2])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple testing.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979.
    """
    # statsmodels' multipletests would also do, but runs a garbage collection that takes 0.5 s.
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    return corrected.clip(max=1.0).tolist()
