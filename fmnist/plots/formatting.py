"""Numbers as text for tables, figures and descriptions. A missing value is shown as a dash."""

import math
from typing import Final

MISSING: Final = "–"  # noqa: RUF001 (en dash)
_MINUS: Final = "\N{MINUS SIGN}"


def format_percent(fraction: float | None, digits: int = 2) -> str:
    """A fraction as `88.49 %`."""
    return MISSING if fraction is None else f"{100 * fraction:.{digits}f} %"


def format_percent_range(low: float, high: float, digits: int = 2) -> str:
    """Two fractions as `87.80 to 89.11 %`."""
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f} %"


def format_points(difference: float, digits: int = 2) -> str:
    """A difference of two fractions in percentage points, with its sign: `+0.24`."""
    text = f"{100 * difference:+.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0 else text.replace("-", _MINUS)


def format_points_range(low: float, high: float, digits: int = 2) -> str:
    """Two differences in percentage points: `−0.10 to +0.58`."""  # noqa: RUF002
    return f"{format_points(low, digits)} to {format_points(high, digits)}"


def format_mean_std(mean: float | None, std: float | None) -> str:
    """Two fractions as `89.49 ± 0.36 %`; without a deviation, as of one seed, only the mean."""
    if mean is None or std is None:
        return format_percent(mean)
    return f"{100 * mean:.2f} ± {100 * std:.2f} %"


def format_count(number: float | None) -> str:
    """A whole number with thousands separators: `44,426`."""
    return MISSING if number is None else f"{number:,.0f}"


def format_score(value: float | None) -> str:
    """A score between 0 and 1: `0.877`; a dash for NaN, the score of a class without images."""
    return MISSING if value is None or math.isnan(value) else f"{value:.3f}"


def format_seconds(duration: float | None) -> str:
    """A duration: `0.02 s`, `12.3 s`, `8 min 2 s`, `1 h 5 min`."""
    if duration is None:
        return MISSING
    if duration < 99.95:
        return f"{_round_to_two_digits(duration)} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(duration / 60), 60)
    return f"{hours:,} h {minutes} min"


def format_milliseconds(duration: float | None) -> str:
    """A short duration: `0.041 ms`."""
    return MISSING if duration is None else f"{_round_to_two_digits(duration)} ms"


def format_bytes(number: float | None) -> str:
    """A size in decimal units: `198 kB`, `59.4 MB`."""
    if number is None:
        return MISSING
    for factor, unit in ((1e9, "GB"), (1e6, "MB")):
        if number >= 0.9995 * factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number / 1e3:.0f} kB" if number >= 999.5 else f"{number:.0f} bytes"


def format_p_value(p: float) -> str:
    """A p-value with two or three decimals: `0.21`, `0.034`, `< 0.001`."""
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def format_p_equals(p: float) -> str:
    """A p-value in running text: `p = 0.034`, `p < 0.001`."""
    return f"p {format_p_value(p)}" if p < 0.001 else f"p = {format_p_value(p)}"


def _round_to_two_digits(number: float) -> str:
    """At least two significant digits: `0.041`, `1.0`, `12.3`."""
    if number < 0.001:
        return "< 0.001"
    return f"{number:.1f}" if number >= 0.995 else f"{number:.2g}"
