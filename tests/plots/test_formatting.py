"""Numbers as people read them, at the edges where a unit or a digit changes."""

from dataclasses import replace

import pytest

from fmnist.plots import formatting
from fmnist.plots.formatting import UNKNOWN
from tests.fabricated import FOUR, compared

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (formatting.percent(0.8849), "88.5 %"),
        (formatting.percent(0.8849, 2), "88.49 %"),
        (formatting.percent(None), UNKNOWN),
        (formatting.percent_range(0.878, 0.8911), "87.8 to 89.1 %"),
        (formatting.points(0.0024), "+0.24"),
        (formatting.points(-0.0024), f"{MINUS}0.24"),
        (formatting.points(-0.000001), "0.00"),
        (formatting.points_range(-0.001, 0.0058), f"{MINUS}0.10 to +0.58"),
        (formatting.mean_and_std(0.8949, 0.0036), "89.49 ± 0.36 %"),
        (formatting.mean_and_std(0.8949, None), UNKNOWN),
        (formatting.whole(44426.0), "44,426"),
        (formatting.whole(0), "0"),
        (formatting.whole(None), UNKNOWN),
        (formatting.score(0.87654), "0.877"),
        (formatting.seconds(0), "< 0.001 s"),
        (formatting.seconds(0.0213), "0.021 s"),
        (formatting.seconds(0.996), "1.0 s"),
        (formatting.seconds(12.34), "12.3 s"),
        (formatting.seconds(99.96), "1 min 40 s"),
        (formatting.seconds(482), "8 min 2 s"),
        (formatting.seconds(3599.6), "1 h 0 min"),
        (formatting.seconds(3900), "1 h 5 min"),
        (formatting.seconds(None), UNKNOWN),
        (formatting.milliseconds(0.0412), "0.041 ms"),
        (formatting.milliseconds(1.0), "1.0 ms"),
        (formatting.milliseconds(12.3), "12.3 ms"),
        (formatting.milliseconds(123.4), "123.4 ms"),
        (formatting.milliseconds(None), UNKNOWN),
        (formatting.size(999), "999 bytes"),
        (formatting.size(999.7), "1 kB"),
        (formatting.size(197_704), "198 kB"),
        (formatting.size(999_600), "1.0 MB"),
        (formatting.size(59_414_344), "59.4 MB"),
        (formatting.size(1_500_000_000), "1.5 GB"),
        (formatting.size(None), UNKNOWN),
        (formatting.p_value(1.0), "1.00"),
        (formatting.p_value(0.214), "0.21"),
        (formatting.p_value(0.0997), "0.10"),
        (formatting.p_value(0.0342), "0.034"),
        (formatting.p_value(0.00099), "< 0.001"),
        (formatting.p_is(0.0342), "p = 0.034"),
        (formatting.p_is(1e-9), "p < 0.001"),
    ],
)
def test_numbers_are_said_as_people_say_them(said: str, wanted: str) -> None:
    assert said == wanted


def test_a_verdict_follows_the_corrected_p_and_the_sign() -> None:
    pair = replace(compared(FOUR[:2]).pairs[0], first="one", second="other", p=0.001)

    def verdict(difference: float, p_holm: float) -> str:
        return formatting.verdict(replace(pair, difference=difference, p_holm=p_holm))

    assert verdict(0.01, 0.049) == "one is more accurate"
    assert verdict(-0.01, 0.049) == "other is more accurate"
    assert verdict(0.01, 0.05) == "cannot be told apart"
    assert verdict(0.0, 0.0) == "cannot be told apart"
