"""The one look of all figures, on paper and on screen."""

import textwrap
from contextlib import AbstractContextManager
from typing import Any, Final

import matplotlib.style

# Okabe and Ito, "Color Universal Design" (2008), without its yellow, which is lost on white.
PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "p")

INK: Final = "#222222"
FAINT: Final = "#666666"

_LOOK: Final = {
    "figure.dpi": 150,
    "figure.facecolor": "white",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.handlelength": 2.8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    # Names come from users: a dollar sign in one is a dollar sign.
    "text.parse_math": False,
}


def look() -> AbstractContextManager[None]:
    """A context in which new figures have our look, whatever the user's matplotlibrc says."""
    return matplotlib.style.context(_LOOK, after_reset=True)


def appearance(index: int) -> dict[str, Any]:
    """Color and marker of the model at this place, the same in every figure of one comparison."""
    # Seven colors against eight markers: no pair comes back before the 57th model.
    return {"color": PALETTE[index % len(PALETTE)], "marker": MARKERS[index % len(MARKERS)]}


def wrapped(name: str, width: int = 26, lines: int = 2) -> str:
    """The name in at most `lines` lines of `width` characters, an ellipsis where it is cut."""
    return textwrap.fill(name, width, max_lines=lines, placeholder=" …")
