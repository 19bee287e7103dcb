"""Numbers as text, at the values where a unit or the number of digits changes."""

import pytest

from fmnist.plots.formatting import (
    MISSING,
    format_bytes,
    format_count,
    format_mean_std,
    format_milliseconds,
    format_p_equals,
    format_p_value,
    format_percent,
    format_percent_range,
    format_points,
    format_points_range,
    format_score,
    format_seconds,
)

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (format_percent(0.8849, 1), "88.5 %"),
        (format_percent(0.8849), "88.49 %"),
        (format_percent(None), MISSING),
        (format_percent_range(0.878, 0.8911), "87.80 to 89.11 %"),
        (format_points(0.0024), "+0.24"),
        (format_points(-0.0024), f"{MINUS}0.24"),
        (format_points(-0.000001), "0.00"),
        (format_points_range(-0.001, 0.0058), f"{MINUS}0.10 to +0.58"),
        (format_mean_std(0.8949, 0.0036), "89.49 ± 0.36 %"),
        (format_mean_std(0.8949, None), "89.49 %"),
        (format_mean_std(None, None), MISSING),
        (format_count(44426.0), "44,426"),
        (format_count(0), "0"),
        (format_count(None), MISSING),
        (format_score(0.87654), "0.877"),
        (format_seconds(0), "< 0.001 s"),
        (format_seconds(0.0213), "0.021 s"),
        (format_seconds(0.996), "1.0 s"),
        (format_seconds(12.34), "12.3 s"),
        (format_seconds(99.96), "1 min 40 s"),
        (format_seconds(482), "8 min 2 s"),
        (format_seconds(3599.6), "1 h 0 min"),
        (format_seconds(3900), "1 h 5 min"),
        (format_seconds(None), MISSING),
        (format_milliseconds(0.0412), "0.041 ms"),
        (format_milliseconds(1.0), "1.0 ms"),
        (format_milliseconds(12.3), "12.3 ms"),
        (format_milliseconds(123.4), "123.4 ms"),
        (format_milliseconds(None), MISSING),
        (format_bytes(999), "999 bytes"),
        (format_bytes(999.7), "1 kB"),
        (format_bytes(197_704), "198 kB"),
        (format_bytes(999_600), "1.0 MB"),
        (format_bytes(59_414_344), "59.4 MB"),
        (format_bytes(1_500_000_000), "1.5 GB"),
        (format_bytes(None), MISSING),
        (format_p_value(1.0), "1.00"),
        (format_p_value(0.214), "0.21"),
        (format_p_value(0.0997), "0.10"),
        (format_p_value(0.0342), "0.034"),
        (format_p_value(0.00099), "< 0.001"),
        (format_p_equals(0.0342), "p = 0.034"),
        (format_p_equals(1e-9), "p < 0.001"),
    ],
)
def test_formatted_numbers(text: str, expected: str) -> None:
    assert text == expected
