"""Numbers in words, the same in every sentence."""

from collections.abc import Sequence
from typing import Final

from fmnist.comparison import Pair

# Below this a difference is told as more than chance.
ALPHA: Final = 0.05
_SMALLEST_P: Final = 0.0001


def percent(share: float) -> str:
    """A share such as an accuracy: `88.49 %`."""
    return f"{100 * share:.2f} %"


def points(difference: float) -> str:
    """How far apart two shares are, without sign: `0.31 points`."""
    return f"{100 * abs(difference):.2f} points"


def change(difference: float) -> str:
    """A difference with its sign: `-0.31 points`."""
    return f"{100 * difference:+.2f} points"


def interval(low: float, high: float) -> str:
    """`95 % interval -0.31 to +0.10 points`."""
    return f"95 % interval {100 * low:+.2f} to {100 * high:+.2f} points"


def probability(p: float, name: str = "p") -> str:
    """A p-value: `p = 0.0312`, or `p < 0.0001`."""
    return f"{name} < {_SMALLEST_P}" if p < _SMALLEST_P else f"{name} = {p:.4f}"


def times(more: float, less: float) -> str:
    """How often one number holds another: `331 times`, `1.2 times`."""
    ratio = more / less
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def tested(pair: Pair) -> str:
    """The evidence that the answers of two contenders give."""
    return (
        f"{pair.first} alone right on {pair.only_first:,} test images, {pair.second} alone on "
        f"{pair.only_second:,}; {pair.test}, {probability(pair.p)}, corrected after Holm "
        f"{probability(pair.p_holm)}"
    )


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
