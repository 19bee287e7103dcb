"""Numbers as text, at the values where a unit or the number of digits changes."""

import pytest

from fmnist.plots import formatting as text
from fmnist.plots.formatting import MISSING

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("formatted", "expected"),
    [
        (text.format_percent(0.8849, 1), "88.5 %"),
        (text.format_percent(0.8849), "88.49 %"),
        (text.format_percent(None), MISSING),
        (text.format_percent_range(0.878, 0.8911), "87.80 to 89.11 %"),
        (text.format_points(0.0024), "+0.24"),
        (text.format_points(-0.0024), f"{MINUS}0.24"),
        (text.format_points(-0.000001), "0.00"),
        (text.format_points_range(-0.001, 0.0058), f"{MINUS}0.10 to +0.58"),
        (text.format_mean_std(0.8949, 0.0036), "89.49 ± 0.36 %"),
        (text.format_mean_std(0.8949, None), "89.49 %"),
        (text.format_mean_std(None, None), MISSING),
        (text.format_count(44426.0), "44,426"),
        (text.format_count(0), "0"),
        (text.format_count(None), MISSING),
        (text.format_score(0.87654), "0.877"),
        (text.format_seconds(0), "< 0.001 s"),
        (text.format_seconds(0.0213), "0.021 s"),
        (text.format_seconds(0.996), "1.0 s"),
        (text.format_seconds(12.34), "12.3 s"),
        (text.format_seconds(99.96), "1 min 40 s"),
        (text.format_seconds(482), "8 min 2 s"),
        (text.format_seconds(3599.6), "1 h 0 min"),
        (text.format_seconds(3900), "1 h 5 min"),
        (text.format_seconds(None), MISSING),
        (text.format_milliseconds(0.0412), "0.041 ms"),
        (text.format_milliseconds(1.0), "1.0 ms"),
        (text.format_milliseconds(12.3), "12.3 ms"),
        (text.format_milliseconds(123.4), "123.4 ms"),
        (text.format_milliseconds(None), MISSING),
        (text.format_bytes(999), "999 bytes"),
        (text.format_bytes(999.7), "1 kB"),
        (text.format_bytes(197_704), "198 kB"),
        (text.format_bytes(999_600), "1.0 MB"),
        (text.format_bytes(59_414_344), "59.4 MB"),
        (text.format_bytes(1_500_000_000), "1.5 GB"),
        (text.format_bytes(None), MISSING),
        (text.format_p_value(1.0), "1.00"),
        (text.format_p_value(0.214), "0.21"),
        (text.format_p_value(0.0997), "0.10"),
        (text.format_p_value(0.0342), "0.034"),
        (text.format_p_value(0.00099), "< 0.001"),
        (text.format_p_equals(0.0342), "p = 0.034"),
        (text.format_p_equals(1e-9), "p < 0.001"),
    ],
)
def test_formatted_numbers(formatted: str, expected: str) -> None:
    assert formatted == expected
