import math
from statistics import NormalDist

import pytest

from fmnist.evaluation.significance import wilson_interval


@pytest.mark.parametrize(
    ("correct", "total", "confidence"),
    [(8, 10, 0.95), (9087, 10_000, 0.95), (1, 3, 0.5), (0, 7, 0.99), (7, 7, 0.99)],
)
def test_interval_equals_the_closed_form(correct: int, total: int, confidence: float) -> None:
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) * z / (1 + z**2 / total)

    assert wilson_interval(correct, total, confidence) == pytest.approx(
        (centre - half, centre + half), abs=1e-9
    )


def test_interval_of_eight_in_ten() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-5)


def test_more_correct_than_asked_is_refused() -> None:
    with pytest.raises(ValueError, match=r"k .* must not be greater than n"):
        wilson_interval(11, 10)
