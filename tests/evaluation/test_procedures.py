"""Comparison of training procedures, checked with other estimators and a simulation."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.stats.power import TTestIndPower, TTestPower

from benchmarks.statistics import Setting, simulate
from fmnist.evaluation.procedures import (
    CROSSED,
    MAX_SEEDS,
    PAIRED_IMAGES,
    compare_procedures,
    count_seeds_needed,
    detectable_effect,
    expected_accuracy,
)
from fmnist.evaluation.statistics import EXACT, mcnemar, wilson_interval
from fmnist.evaluation.variance import Components, estimate_components

Correct = npt.NDArray[np.bool_]


def draw(seeds: int, images: int, random_seed: int, own: float = 0.4) -> Correct:
    """Trainings of one procedure.

    Args:
        own: fraction of the images whose difficulty is specific to the procedure.
    """
    rng = np.random.default_rng(random_seed)
    shared, specific = np.random.default_rng(images), np.random.default_rng(random_seed)
    probabilities = shared.beta(0.8, 0.2, images)
    is_own = specific.random(images) < own
    probabilities[is_own] = specific.beta(0.8, 0.2, is_own.sum())
    changed = probabilities + rng.normal(0, 0.3, (seeds, 1)) * probabilities * (1 - probabilities)
    return rng.random((seeds, images)) < changed


def mean_of_independent_products(first: Correct, second: Correct, *, same_side: bool) -> float:
    """Mean product of two outcomes with different images and, on the same side, other seeds."""
    products = np.multiply.outer(first.astype(float), second.astype(float))
    differs = ~np.eye(first.shape[1], dtype=bool)[None, :, None, :]
    if same_side:
        differs = differs & ~np.eye(len(first), dtype=bool)[:, None, :, None]
    return float(products[np.broadcast_to(differs, products.shape)].mean())


@pytest.mark.parametrize(("seeds_a", "seeds_b"), [(2, 2), (3, 5)])
def test_variance_is_the_one_shot_estimate(seeds_a: int, seeds_b: int) -> None:
    """Gallas (2006): the squared estimate minus an unbiased estimate of the squared truth."""
    a, b = draw(seeds_a, 60, 1), draw(seeds_b, 60, 2)
    of_a = mean_of_independent_products(a, a, same_side=True)
    of_b = mean_of_independent_products(b, b, same_side=True)
    of_both = mean_of_independent_products(a, b, same_side=False)

    assert estimate_components(a).variance == pytest.approx(a.mean() ** 2 - of_a)
    expected = (a.mean() - b.mean()) ** 2 - (of_a + of_b - 2 * of_both)
    assert estimate_components(a, b).variance == pytest.approx(expected)


def test_standard_error_is_that_of_a_mixed_model() -> None:
    """Restricted maximum likelihood with crossed effects, which equals ANOVA for balanced data."""
    a, b = draw(3, 25, 583, own=0.3), draw(3, 25, 10_583, own=0.3)  # All components are positive.
    index = pd.MultiIndex.from_product([(1, 0), range(3), range(25)], names=["a", "seed", "image"])
    table = pd.Series(np.concatenate([a, b]).ravel().astype(float), index, name="y").reset_index()
    model = MixedLM.from_formula(
        "y ~ a",
        table,
        groups=np.ones(len(table)),
        vc_formula={
            "seed": "0 + C(a):C(seed)",
            "image": "0 + C(image)",
            "interaction": "0 + C(image):C(a)",
        },
    )
    fit = model.fit(method="lbfgs")
    assert estimate_components(a, b).variance ** 0.5 == pytest.approx(fit.bse["a"], rel=2e-3)
    assert compare_procedures(a, b).difference == pytest.approx(fit.params["a"])


def test_equal_accuracies_of_all_seeds_leave_the_freedom_of_the_images() -> None:
    """Means of equal numbers may differ in their last digit, so that variances are not 0."""
    for variance in (0.0, 1.2e-34):
        components = Components((variance, 0.0), (3, 3), images=1e-6, image_count=10_000)
        assert components.degrees_of_freedom == 9_999


def test_interval_and_p_value_agree() -> None:
    a, b = draw(3, 400, 1), draw(4, 400, 2)
    result, back = compare_procedures(a, b), compare_procedures(b, a)
    components = estimate_components(a, b)
    t = (a.mean() - b.mean()) / components.variance**0.5
    freedom = components.degrees_of_freedom
    assert result.method == CROSSED
    assert result.p_value == pytest.approx(2 * stats.t.sf(abs(t), freedom))
    half = stats.t.ppf(0.975, freedom) * components.variance**0.5
    assert (result.low, result.high) == pytest.approx(
        (result.difference - half, result.difference + half)
    )
    assert (back.low, back.high, back.p_value) == pytest.approx(
        (-result.high, -result.low, result.p_value)
    )
    assert result.probability_first_better is not None
    assert back.probability_first_better == pytest.approx(1 - result.probability_first_better)


@pytest.mark.parametrize("freedom", [1, 2, 3, 8, 40])
def test_detectable_effect_is_that_of_a_t_test(freedom: int) -> None:
    effect = TTestPower().solve_power(nobs=freedom + 1, alpha=0.05, power=0.8)
    assert detectable_effect(freedom) == pytest.approx(effect * math.sqrt(freedom + 1), rel=2e-3)


@pytest.mark.parametrize("difference", [0.0025, 0.004, 0.006])
def test_seeds_needed_are_those_of_a_t_test_if_images_do_not_matter(difference: float) -> None:
    """The t-test for equal variances has more degrees of freedom, and needs one seed less."""
    components = Components((0.003**2, 0.003**2), (3, 3), images=0.0, image_count=10_000)
    seeds = TTestIndPower().solve_power(effect_size=difference / 0.003, alpha=0.05, power=0.8)
    needed = count_seeds_needed(difference, components)
    assert needed is not None
    assert needed - math.ceil(seeds) in {0, 1}


def test_more_seeds_do_not_replace_images() -> None:
    components = Components((0.003**2, 0.003**2), (3, 3), images=0.002**2, image_count=10_000)
    assert count_seeds_needed(2.7 * 0.002, components) is None
    assert count_seeds_needed(3.2 * 0.002, components) is not None
    tiny = Components((0.003**2, 0.003**2), (3, 3), images=0.0, image_count=10_000)
    assert count_seeds_needed(0.0001, tiny) is None
    assert MAX_SEEDS == 100


def test_probability_of_a_better_training_is_the_fraction_of_pairs() -> None:
    """Bouthillier et al. (2021) count pairs; with many seeds the two agree."""
    a, b = draw(150, 500, 3, own=0), draw(150, 500, 4, own=0)
    b[:, :25] = False
    pairs = np.subtract.outer(a.mean(axis=1), b.mean(axis=1))
    fraction = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert 0.6 < fraction < 0.9
    probability = compare_procedures(a, b).probability_first_better
    assert probability == pytest.approx(fraction, abs=0.04)


def test_one_seed_is_compared_on_its_images_only() -> None:
    a, b = draw(1, 30, 5), draw(1, 30, 6)
    result = compare_procedures(a, b)
    assert result.method == EXACT
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    assert result.p_value == mcnemar(only_a, only_b).p
    assert result.probability_first_better is result.detectable_difference is None
    assert result.seeds_needed is None

    several = compare_procedures(draw(3, 30, 5), b)
    assert several.method == PAIRED_IMAGES
    per_image = draw(3, 30, 5).mean(axis=0), b[0].astype(float)
    assert several.p_value == pytest.approx(stats.ttest_rel(*per_image).pvalue)


def test_expected_accuracy_of_one_seed_is_that_of_wilson() -> None:
    correct = draw(1, 300, 8)
    result = expected_accuracy(correct)
    assert result.std is None
    assert (result.low, result.high) == wilson_interval(int(correct.sum()), 300)


def test_interval_of_the_expected_accuracy_is_nearly_a_t_interval() -> None:
    correct = draw(4, 2000, 8)
    result, components = expected_accuracy(correct), estimate_components(correct)
    assert result.std == pytest.approx(np.std([row.mean() for row in correct], ddof=1))
    half = stats.t.ppf(0.975, components.degrees_of_freedom) * components.variance**0.5
    assert (result.low, result.high) == pytest.approx(
        (result.mean - half, result.mean + half), abs=2e-3
    )


@pytest.mark.parametrize("value", [True, False])
def test_intervals_stay_within_0_and_1(value: bool) -> None:
    correct = np.full((3, 50), value)
    result = expected_accuracy(correct)
    assert 0 <= result.low < result.high <= 1
    assert (result.mean, result.std) == (float(value), 0.0)
    same = compare_procedures(correct, correct.copy())
    assert (same.low, same.high, same.p_value, same.probability_first_better) == (
        0.0,
        0.0,
        1.0,
        0.5,
    )
    other = compare_procedures(correct, ~correct)
    assert (other.p_value, other.probability_first_better) == (0.0, float(value))


def test_other_shapes_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"\(seeds, images\)"):
        expected_accuracy(np.ones(5, bool))
    with pytest.raises(ValueError, match="same images"):
        compare_procedures(np.ones((2, 5), bool), np.ones((2, 6), bool))


@pytest.mark.parametrize("seeds", [(2, 2), (3, 5)])
def test_coverage_and_false_positives(seeds: tuple[int, int]) -> None:
    """A reduced version of `python -m benchmarks.statistics`: 400 data sets of 1,000 images.

    The standard error of a rate of 95 % is 1.1 %.
    """
    setting = Setting((0.01, 0.01), seeds)
    mean, difference, false_positives, single_runs = simulate(setting, 400, images=1000, seed=0)
    assert 0.92 <= mean <= 0.985
    assert 0.92 <= difference <= 0.985
    assert false_positives <= 0.07
    assert single_runs > 0.2
