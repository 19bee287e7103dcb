"""Whether two models that answered the same questions differ by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.evaluation.significance import cross_validation_interval

EXACT: Final = "McNemar, exact"
CHI_SQUARED: Final = "McNemar, chi-squared with continuity correction"

# Below this many rows that one model alone has right, the binomial distribution itself is used.
FEW: Final = 25
DRAWS: Final = 10_000


@dataclass(frozen=True)
class McNemar:
    """A p-value, and by which form of the test: `EXACT` or `CHI_SQUARED`."""

    test: str
    p: float


def discordant(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """How many rows the first alone has right, and how many the second alone.

    Args:
        first, second: (n,) bool, whether each answered the row rightly.
    """
    return int((first & ~second).sum()), int((second & ~first).sum())


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """How likely so uneven a division of the rows that one alone has right is between equals.

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947; the correction is A. Edwards's of 1948.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test  # a second to import

    exact = only_first + only_second < FEW
    found = test([[0, only_first], [only_second, 0]], exact=exact, correction=True)
    return McNemar(EXACT if exact else CHI_SQUARED, float(found.pvalue))


def paired_interval(
    only_first: int, only_second: int, total: int, seed: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Bounds of the difference of two accuracies, by a bootstrap of the rows (percentiles).

    Rows drawn anew, with both their answers, are a multinomial draw of three counts: the first
    alone right, the second alone, and the rest. So the counts are drawn, not the rows: the same
    distribution at no cost.
    """
    shares = np.array([only_first, only_second, total - only_first - only_second]) / total
    rng = np.random.default_rng([seed, only_first, only_second, total])
    drawn = rng.multinomial(total, shares, size=DRAWS)
    low, high = np.quantile(
        (drawn[:, 0] - drawn[:, 1]) / total, [(1 - confidence) / 2, (1 + confidence) / 2]
    )
    return float(low), float(high)


@dataclass(frozen=True)
class Resampled:
    """A mean difference of two models over folds, with its interval and p-value."""

    difference: float
    low: float
    high: float
    p: float


def corrected_resampled_t(first: Sequence[float], second: Sequence[float], folds: int) -> Resampled:
    """Two models' scores on the same folds, compared by the corrected resampled t-test.

    `cross_validation_interval` says what is corrected, and whose correction it is.

    Args:
        first, second: one score for each fold of each repeat, in the same order.
        folds: how many parts the rows were divided into.
    """
    from scipy.stats import t

    differences = np.subtract(first, second)
    mean, k = float(differences.mean()), len(differences)
    low, high = cross_validation_interval(differences.tolist(), folds)
    error = float(differences.std(ddof=1) * np.sqrt(1 / k + 1 / (folds - 1)))
    if error == 0:
        return Resampled(mean, low, high, 0.0 if mean else 1.0)
    return Resampled(mean, low, high, float(2 * t.sf(abs(mean) / error, k - 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, corrected for being many.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979.
    """
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(list(p_values), method="holm")[1]]
