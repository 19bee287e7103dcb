"""Confidence intervals and significance tests of test accuracies.

A training procedure (model and options) is evaluated by several trainings with different seeds on
the same test images. Its expected accuracy is the mean over new seeds and new images; both are
random factors, and they are crossed. One training alone says nothing about new seeds, so tests of
single models (McNemar) are valid for these models only.

scipy and statsmodels are imported inside the functions: they take longer to import than everything
else that a training run needs to report its scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist.evaluation.power import LEVEL, count_seeds_needed, detectable_effect
from fmnist.evaluation.variance import estimate_components

# Differences with a (corrected) p-value below this level are called significant.
SIGNIFICANCE_LEVEL: Final = LEVEL

EXACT: Final = "McNemar, exact"
CHI_SQUARED: Final = "McNemar, chi-squared with continuity correction"
# For one side with several seeds and one with a single seed.
PAIRED_IMAGES: Final = "paired t-test over images"
# The only method that is valid for new seeds.
CROSSED: Final = "t-test with crossed seeds and images"

# Below this number of discordant rows, McNemar's test uses the binomial distribution.
_EXACT_BELOW: Final = 25
_BOOTSTRAP_SAMPLES: Final = 10_000

Correct = npt.NDArray[np.bool_]


class McNemarTest(NamedTuple):
    """A p-value and the form of the test: `EXACT` or `CHI_SQUARED`."""

    test: str
    p: float


@dataclass(frozen=True)
class MeanAccuracy:
    """The accuracy of a training procedure over its seeds.

    Args:
        mean: mean test accuracy over the seeds.
        std: sample standard deviation over the seeds; None with one seed.
        low, high: 95 % confidence interval of the expected accuracy with new seeds and new images;
            with one seed, of this trained model with new images.
        seeds: number of seeds.
    """

    mean: float
    std: float | None
    low: float
    high: float
    seeds: int


@dataclass(frozen=True)
class ProcedureComparison:
    """The difference in accuracy of two training procedures, A minus B.

    Args:
        difference: of the mean test accuracies.
        low, high: 95 % confidence interval of the difference.
        p_value: two-sided, of no difference.
        method: `CROSSED` is valid for new trainings; `PAIRED_IMAGES`, `EXACT` and `CHI_SQUARED` are
            for these trained models only.
        probability_a_better: that a new training of A has a higher accuracy than a new training of
            B on as many new images; None if a side has one seed.
        detectable_difference: the smallest difference that a test with these seeds and images
            detects with 80 % power at the 5 % level; None if a side has one seed.
        seeds_needed: seeds per procedure with which the observed difference would be detected with
            80 % power; None if more than `power.MAX_SEEDS`, or if a side has one seed.
    """

    difference: float
    low: float
    high: float
    p_value: float
    method: str
    probability_a_better: float | None
    detectable_difference: float | None
    seeds_needed: int | None


def expected_accuracy(correct: Correct) -> MeanAccuracy:
    """Estimate the expected test accuracy of a training procedure.

    The interval is Wilson's with the effective number of images, mean (1 - mean) / variance, and a
    t quantile; see `variance.py` for the variance of the mean and its degrees of freedom. With one
    seed it is Wilson's interval. Its bounds lie within 0 and 1. C. Franco, R. Little, T. Louis and
    E. Slud, "Comparative Study of Confidence Intervals for Proportions in Complex Sample Surveys",
    Journal of Survey Statistics and Methodology 7, 2019.

    Args:
        correct: (seeds, images) bool, whether each training classifies each image correctly.
    """
    seeds, images = _check(correct).shape
    mean = float(correct.mean())
    if seeds == 1:
        return MeanAccuracy(mean, None, *wilson_interval(int(correct.sum()), images), seeds)
    from scipy.special import stdtrit

    components = estimate_components(correct)
    quantile = float(stdtrit(components.degrees_of_freedom, 1 - SIGNIFICANCE_LEVEL / 2))
    # Without any variance, as many images as there are.
    variance = components.variance or mean * (1 - mean) / images
    effective = mean * (1 - mean) / variance if variance else float(images)
    low, high = _wilson(mean, effective, quantile)
    std = float(correct.mean(axis=1).std(ddof=1))
    return MeanAccuracy(mean, std, low, high, seeds)


def compare_procedures(
    correct_a: Correct, correct_b: Correct, seed: int = 0
) -> ProcedureComparison:
    """Compare the expected test accuracies of two training procedures.

    With at least two seeds on both sides, the result is valid for new seeds and new images.
    Otherwise it is valid for these trained models only: McNemar's test and a paired bootstrap over
    the images, with the mean over the seeds of a side that has several. Seeds are not paired:
    equal seed numbers of two procedures have nothing in common.

    The probability that A is better accounts for the variation over seeds and images and for the
    estimation of the difference: X. Bouthillier et al., "Accounting for Variance in Machine
    Learning Benchmarks", MLSys 2021, with a predictive t distribution in place of counting pairs.

    Args:
        correct_a, correct_b: (seeds, images) bool, whether each training classifies each image
            correctly; the same images in the same order.
        seed: for the bootstrap.
    """
    if _check(correct_a).shape[1] != _check(correct_b).shape[1]:
        raise ValueError(f"expected the same images, got {correct_a.shape} and {correct_b.shape}")
    difference = float(correct_a.mean() - correct_b.mean())
    if min(len(correct_a), len(correct_b)) == 1:
        return _compare_trained_models(difference, correct_a, correct_b, seed)
    # Much faster than scipy.stats.t.
    from scipy.special import stdtr, stdtrit

    components = estimate_components(correct_a, correct_b)
    freedom = components.degrees_of_freedom
    error = components.variance**0.5
    half = float(stdtrit(freedom, 1 - SIGNIFICANCE_LEVEL / 2)) * error
    spread = (components.variance + components.variance_of_one_training) ** 0.5
    return ProcedureComparison(
        difference=difference,
        low=max(-1.0, difference - half),
        high=min(1.0, difference + half),
        p_value=float(2 * stdtr(freedom, -_divide(abs(difference), error))),
        method=CROSSED,
        probability_a_better=float(stdtr(freedom, _divide(difference, spread))),
        detectable_difference=min(1.0, detectable_effect(freedom) * error),
        seeds_needed=count_seeds_needed(abs(difference), components),
    )


def _compare_trained_models(
    difference: float, correct_a: Correct, correct_b: Correct, seed: int
) -> ProcedureComparison:
    differences = correct_a.mean(axis=0) - correct_b.mean(axis=0)
    if len(correct_a) == len(correct_b):
        method, p = mcnemar(*count_discordant(correct_a[0], correct_b[0]))
    else:
        from scipy.stats import ttest_1samp

        varies = differences.std() > 0
        p = float(ttest_1samp(differences, 0).pvalue) if varies else float(difference == 0)
        method = PAIRED_IMAGES
    low, high = bootstrap_interval(differences, seed)
    return ProcedureComparison(difference, low, high, p, method, None, None, None)


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """95 % confidence interval of an accuracy, `correct` of `total` images.

    The score interval without continuity correction: E. B. Wilson, "Probable Inference, the Law of
    Succession, and Statistical Inference", JASA 22, 1927. Its bounds lie within 0 to 1, and its
    width is not 0 at an accuracy of 0 or 1.
    """
    from scipy.stats import norm

    return _wilson(correct / total, total, float(norm.ppf(1 - SIGNIFICANCE_LEVEL / 2)))


def _wilson(mean: float, total: float, quantile: float) -> tuple[float, float]:
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
    return [float(p) for p in corrected.clip(max=1.0)]


def _divide(value: float, error: float) -> float:
    """The quotient; without an error, 0 or infinite."""
    return value / error if error else float(np.sign(value)) * np.inf if value else 0.0


def _check(correct: Correct) -> Correct:
    if correct.ndim != 2 or correct.dtype != np.bool_ or correct.size == 0:
        raise ValueError(
            f"expected a bool array (seeds, images), got {correct.dtype} {correct.shape}"
        )
    return correct
