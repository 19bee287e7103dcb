import math
from statistics import NormalDist

import pytest

from fmnist.evaluation.significance import (
    cross_validation_interval,
    expected_interval,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("correct", "total", "confidence"),
    [(8, 10, 0.95), (9087, 10_000, 0.95), (1, 3, 0.5), (0, 7, 0.99), (7, 7, 0.99)],
)
def test_interval_equals_the_closed_form(correct: int, total: int, confidence: float) -> None:
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / total
    center = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) * z / (1 + z**2 / total)

    assert wilson_interval(correct, total, confidence) == pytest.approx(
        (center - half, center + half), abs=1e-9
    )


def test_interval_of_eight_in_ten() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-5)


def test_more_correct_than_asked_is_refused() -> None:
    with pytest.raises(ValueError, match=r"k .* must not be greater than n"):
        wilson_interval(11, 10)


def test_cross_validation_interval_is_wider_than_if_folds_were_independent() -> None:
    """By hand: mean 0.88, s = 0.01, k = 5 folds, t(4) = 2.7764, so 2.7764 s sqrt(1/5 + 1/4)."""
    scores = [0.88 + 0.01 * z / math.sqrt(2.5) for z in (-2, -1, 0, 1, 2)]
    low, high = cross_validation_interval(scores, folds=5)
    half = 2.776445 * 0.01 * math.sqrt(1 / 5 + 1 / 4)
    assert (low, high) == pytest.approx((0.88 - half, 0.88 + half), abs=1e-7)


def test_repeats_narrow_the_interval_only_so_far() -> None:
    """However often the rows are divided, the folds' overlap stays in the variance."""
    scores = [0.87, 0.89] * 500
    low, high = cross_validation_interval(scores, folds=2)
    assert high - low == pytest.approx(2 * 1.962 * 0.01, rel=1e-2)


def test_expected_interval_follows_the_earlier_runs() -> None:
    """By hand: t(2) = 4.3027, s = 0.01, n = 3."""
    low, high = expected_interval([0.87, 0.88, 0.89], fold_std=0.0, folds=5)
    assert high - low == pytest.approx(2 * 4.302653 * 0.01 * math.sqrt(4 / 3), abs=1e-6)
    assert (low + high) / 2 == pytest.approx(0.88)


def test_equal_earlier_runs_leave_room_for_chance() -> None:
    """By hand: t(4) = 2.7764, population std 0.002 of 5 folds, standard error 0.001."""
    low, high = expected_interval([0.88, 0.88], fold_std=0.002, folds=5)
    assert (low, high) == pytest.approx((0.88 - 0.0027764, 0.88 + 0.0027764), abs=1e-6)
