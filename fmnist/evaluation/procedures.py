"""Comparison of training procedures: what to expect of new trainings on new images.

A training procedure (model and options) is evaluated by several trainings with different seeds on
the same test images. Its expected accuracy is the mean over new seeds and new images; both are
random factors, and they are crossed (see `variance.py`). With one training, the results are valid
for the trained models only. scipy is imported inside the functions; its `special` is much faster
than `stats`.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

import numpy as np

from fmnist.evaluation.statistics import (
    SIGNIFICANCE_LEVEL,
    Correct,
    bootstrap_interval,
    count_discordant,
    mcnemar,
    score_interval,
    wilson_interval,
)
from fmnist.evaluation.variance import Components, estimate_components

# The only method that is valid for new seeds.
CROSSED: Final = "t-test with crossed seeds and images"
# For one side with several seeds and one with a single seed.
PAIRED_IMAGES: Final = "paired t-test over images"

POWER: Final = 0.8
# Above this number of seeds per procedure, `count_seeds_needed` returns None.
MAX_SEEDS: Final = 100

_QUANTILE: Final = 1 - SIGNIFICANCE_LEVEL / 2


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

    @property
    def error_bar(self) -> list[list[float]]:
        """Distances of the interval's bounds from the mean, as Matplotlib expects them."""
        # Due to rounding, a mean of 0 or 1 can lie outside the interval.
        return [[max(self.mean - self.low, 0)], [max(self.high - self.mean, 0)]]


@dataclass(frozen=True)
class ProcedureComparison:
    """The difference in accuracy of two training procedures, the first minus the second.

    Args:
        difference: of the mean test accuracies.
        low, high: 95 % confidence interval of the difference.
        p_value: two-sided, of no difference.
        method: `CROSSED` is valid for new trainings; `PAIRED_IMAGES` and McNemar's tests are for
            these trained models only. The fields below are None if a side has one seed.
        probability_first_better: that a new training of the first procedure has a higher accuracy
            than a new training of the second on as many new images.
        detectable_difference: the smallest difference that a test with these seeds and images
            detects with 80 % power at the 5 % level.
        seeds_needed: seeds per procedure with which the observed difference would be detected with
            80 % power; None if more than `MAX_SEEDS`.
    """

    difference: float
    low: float
    high: float
    p_value: float
    method: str
    probability_first_better: float | None = None
    detectable_difference: float | None = None
    seeds_needed: int | None = None


def expected_accuracy(correct: Correct) -> MeanAccuracy:
    """Estimate the expected test accuracy of a training procedure.

    The interval is Wilson's with the effective number of images, mean (1 - mean) / variance, and a
    t quantile, so that its bounds lie within 0 and 1. With one seed it is Wilson's interval.
    C. Franco, R. Little, T. Louis and E. Slud, "Comparative Study of Confidence Intervals for
    Proportions in Complex Sample Surveys", Journal of Survey Statistics and Methodology 7, 2019.

    Args:
        correct: (seeds, images) bool, whether each training classifies each image correctly.
    """
    seeds, images = _check(correct).shape
    mean = float(correct.mean())
    if seeds == 1:
        return MeanAccuracy(mean, None, *wilson_interval(int(correct.sum()), images), seeds)
    from scipy.special import stdtrit

    components = estimate_components(correct)
    # Without any variance, as many images as there are.
    variance = components.variance or mean * (1 - mean) / images
    effective = mean * (1 - mean) / variance if variance else float(images)
    quantile = float(stdtrit(components.degrees_of_freedom, _QUANTILE))
    std = float(correct.mean(axis=1).std(ddof=1))
    return MeanAccuracy(mean, std, *score_interval(mean, effective, quantile), seeds)


def compare_procedures(first: Correct, second: Correct, seed: int = 0) -> ProcedureComparison:
    """Compare the expected test accuracies of two training procedures.

    With at least two seeds on both sides, the result is valid for new seeds and new images.
    Otherwise it is valid for these trained models only: McNemar's test and a paired bootstrap over
    the images, with the mean over the seeds of a side that has several. Seeds are not paired:
    equal seed numbers of two procedures have nothing in common.

    The probability that the first is better accounts for the variation over seeds and images and
    for the estimation of the difference: X. Bouthillier et al., "Accounting for Variance in Machine
    Learning Benchmarks", MLSys 2021, with a predictive t distribution in place of counting pairs.

    Args:
        first, second: (seeds, images) bool, whether each training classifies each image correctly;
            the same images in the same order.
        seed: for the bootstrap.
    """
    if _check(first).shape[1] != _check(second).shape[1]:
        raise ValueError(f"expected the same images, got {first.shape} and {second.shape}")
    difference = float(first.mean() - second.mean())
    if min(len(first), len(second)) == 1:
        return _compare_trained_models(difference, first, second, seed)
    from scipy.special import stdtr, stdtrit

    components = estimate_components(first, second)
    freedom, error = components.degrees_of_freedom, components.variance**0.5
    half = float(stdtrit(freedom, _QUANTILE)) * error
    spread = (components.variance + components.variance_of_one_training) ** 0.5
    return ProcedureComparison(
        difference=difference,
        low=max(-1.0, difference - half),
        high=min(1.0, difference + half),
        p_value=float(2 * stdtr(freedom, -_divide(abs(difference), error))),
        method=CROSSED,
        probability_first_better=float(stdtr(freedom, _divide(difference, spread))),
        detectable_difference=min(1.0, detectable_effect(freedom) * error),
        seeds_needed=count_seeds_needed(abs(difference), components),
    )


def detectable_effect(freedom: float) -> float:
    """The difference, in standard errors, that a t-test detects with 80 % power at the 5 % level.

    Significant differences of the wrong sign, which are extremely rare, do not count.

    Args:
        freedom: degrees of freedom, at least 1.
    """
    from scipy.special import nctdtrinc, stdtrit

    return float(nctdtrinc(freedom, 1 - POWER, stdtrit(freedom, _QUANTILE)))


def count_seeds_needed(difference: float, components: Components) -> int | None:
    """The smallest number of seeds per procedure, at least 2, with which a difference is detected.

    None if more than `MAX_SEEDS`, because the difference is too small for the variation over seeds,
    or for the number of images whatever the number of seeds.
    """

    def is_enough(seeds: int) -> bool:
        planned = components.with_seeds(seeds)
        error = planned.variance**0.5
        return difference > detectable_effect(planned.degrees_of_freedom) * error

    seeds = bisect_left(range(2, MAX_SEEDS + 1), True, key=is_enough) + 2
    return seeds if seeds <= MAX_SEEDS else None


def _compare_trained_models(
    difference: float, first: Correct, second: Correct, seed: int
) -> ProcedureComparison:
    differences = first.mean(axis=0) - second.mean(axis=0)
    if len(first) == len(second):
        method, p = mcnemar(*count_discordant(first[0], second[0]))
    else:
        from scipy.stats import ttest_1samp

        method, varies = PAIRED_IMAGES, differences.std() > 0
        p = float(ttest_1samp(differences, 0).pvalue) if varies else float(difference == 0)
    low, high = bootstrap_interval(differences, seed)
    return ProcedureComparison(difference, low, high, p, method)


def _divide(value: float, error: float) -> float:
    """The quotient; without an error, 0 or infinite."""
    return value / error if error else float(np.sign(value)) * np.inf if value else 0.0


def _check(correct: Correct) -> Correct:
    if correct.ndim != 2 or correct.dtype != np.bool_ or correct.size == 0:
        raise ValueError(
            f"expected a bool array (seeds, images), got {correct.dtype} {correct.shape}"
        )
    return correct
