"""Numbers in sentences; `fmnist.reports.wording` has those of tables."""

from collections.abc import Sequence

from fmnist.comparison.results import Pair
from fmnist.plots import formatting


def percent(share: float) -> str:
    """A share such as an accuracy: `88.49 %`."""
    return formatting.format_percent(share, 2)


def points(difference: float) -> str:
    """How far apart two shares are, without sign: `0.31 points`."""
    return f"{100 * abs(difference):.2f} points"


def change(difference: float) -> str:
    """A difference with its sign: `+0.31 points`."""
    return f"{formatting.format_points(difference)} points"


def interval(low: float, high: float) -> str:
    """The bounds of a difference: `95 % interval +0.10 to +0.31 points`."""
    return f"95 % interval {formatting.format_points_range(low, high)} points"


def times(more: float, less: float) -> str:
    """How often one number holds another: `331 times`, `1.2 times`."""
    ratio = more / less
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def tested(pair: Pair) -> str:
    """The evidence that the answers of two compared_models give."""
    return (
        f"{pair.first} alone right on {pair.only_first:,} test images, {pair.second} alone on "
        f"{pair.only_second:,}; {pair.test}, {formatting.format_p_equals(pair.p)}, corrected after Holm "  # noqa: E501
        f"{formatting.format_p_equals(pair.p_holm)}"
    )


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
