"""Numbers of a comparison as people read them; what was not measured is a dash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fmnist.comparison.results import CrossvalPair, Pair

UNKNOWN: Final = "–"  # noqa: RUF001 (the dash that tables use for "no value")
_MINUS: Final = "\N{MINUS SIGN}"

# Below this corrected p-value a difference is called real.
SIGNIFICANT: Final = 0.05


def percent(share: float | None, digits: int = 1) -> str:
    """A share as `88.5 %`."""
    return UNKNOWN if share is None else f"{100 * share:.{digits}f} %"


def percent_range(low: float, high: float, digits: int = 1) -> str:
    """The bounds of an interval of shares, as `87.8 to 89.1 %`."""
    return f"{100 * low:.{digits}f} to {100 * high:.{digits}f} %"


def points(difference: float, digits: int = 2) -> str:
    """A difference of two shares in percentage points, always with its sign: `+0.24`."""
    text = f"{100 * difference:+.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0 else text.replace("-", _MINUS)


def points_range(low: float, high: float, digits: int = 2) -> str:
    """The bounds of an interval of a difference: `−0.10 to +0.58`."""  # noqa: RUF002
    return f"{points(low, digits)} to {points(high, digits)}"


def mean_and_std(mean: float | None, std: float | None) -> str:
    """Two shares, as `89.49 ± 0.36 %`."""
    if mean is None or std is None:
        return UNKNOWN
    return f"{100 * mean:.2f} ± {100 * std:.2f} %"


def whole(number: float | None) -> str:
    """A whole number with commas: `44,426`."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def score(value: float) -> str:
    """A score between 0 and 1: `0.877`."""
    return f"{value:.3f}"


def seconds(duration: float | None) -> str:
    """A duration in the units one would say it in: `0.02 s`, `12.3 s`, `8 min 2 s`, `1 h 5 min`."""
    if duration is None:
        return UNKNOWN
    if duration < 99.95:
        return f"{_two_digits(duration)} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(duration / 60), 60)
    return f"{hours:,} h {minutes} min"


def milliseconds(duration: float | None) -> str:
    """A short time: `0.041 ms`."""
    return UNKNOWN if duration is None else f"{_two_digits(duration)} ms"


def size(number: float | None) -> str:
    """Bytes in units of a thousand: `198 kB`, `59.4 MB`."""
    if number is None:
        return UNKNOWN
    for unit, letters in ((1e9, "GB"), (1e6, "MB")):
        if number >= 0.9995 * unit:
            return f"{number / unit:.1f} {letters}"
    return f"{number / 1e3:.0f} kB" if number >= 999.5 else f"{number:.0f} bytes"


def p_value(p: float) -> str:
    """Two or three digits after the point: `0.21`, `0.034`, `< 0.001`."""
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def p_is(p: float) -> str:
    """The same within a sentence: `p = 0.034`, `p < 0.001`."""
    return f"p {p_value(p)}" if p < 0.001 else f"p = {p_value(p)}"


def verdict(pair: Pair | CrossvalPair) -> str:
    """What the corrected test says of two models, in plain words."""
    if pair.p_holm >= SIGNIFICANT or pair.difference == 0:
        return "cannot be told apart"
    return f"{pair.first if pair.difference > 0 else pair.second} is more accurate"


def _two_digits(number: float) -> str:
    """Two digits that count, and those before the point: `0.041`, `1.0`, `12.3`."""
    if number < 0.001:
        return "< 0.001"
    return f"{number:.1f}" if number >= 0.995 else f"{number:.2g}"
