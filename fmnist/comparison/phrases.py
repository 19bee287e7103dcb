"""Numbers and test results in the sentences of findings and on the page."""

from collections.abc import Sequence

from fmnist.comparison.pairs import AccuracyPair, ModelPair
from fmnist.plots.formatting import (
    format_p_equals,
    format_percent,
    format_points,
    format_points_range,
)


def points(difference: float) -> str:
    """The absolute difference of two fractions: `0.31 percentage points`."""
    return f"{100 * abs(difference):.2f} percentage points"


def change(difference: float) -> str:
    """A difference with its sign: `+0.31 percentage points`."""
    return f"{format_points(difference)} percentage points"


def interval(pair: ModelPair) -> str:
    """The confidence interval of the difference: `95 % interval +0.10 to +0.31`."""
    return f"95 % interval {format_points_range(pair.low, pair.high)}"


def significance(pair: ModelPair) -> str:
    """Whether the corrected test is significant: `not significant (p = 0.21)`."""
    negation = "" if pair.is_significant else "not "
    return f"{negation}significant ({format_p_equals(pair.p_holm)})"


def validity(pair: AccuracyPair) -> str:
    """What the interval and the p-value are valid for."""
    if pair.is_valid_for_new_seeds:
        return "valid for new seeds and new images"
    return f"valid for these trained models only ({pair.method})"


def probability(value: float | None) -> str:
    """A probability as a percentage that is never 0 or 100: `95 %`, `over 99 %`."""
    if value is not None and value > 0.99:
        return "over 99 %"
    if value is not None and value < 0.01:
        return "under 1 %"
    return format_percent(value, 0)


def times(larger: float, smaller: float) -> str:
    """A ratio: `331 times`, `1.2 times`."""
    ratio = larger / smaller
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def join(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
