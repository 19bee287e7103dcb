"""The shared figure style, and helpers that every plot module uses.

Plot functions create a `matplotlib.figure.Figure` and return it. They never use pyplot, so figures
need no backend, are freed when they are no longer referenced, and do not depend on global state.
"""

import io
import textwrap
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import Formatter, MaxNLocator

# Okabe and Ito, "Color Universal Design" (2008), without yellow, which is hard to see on white.
PALETTE: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "p")

TEXT_COLOR: Final = "#222222"
GRAY: Final = "#666666"

_RC_PARAMS: Final = {
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
    "text.color": TEXT_COLOR,
    "axes.labelcolor": TEXT_COLOR,
    "axes.edgecolor": GRAY,
    "xtick.color": TEXT_COLOR,
    "ytick.color": TEXT_COLOR,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    # Labels may contain dollar signs, for example in file names of weights.
    "text.parse_math": False,
}


def plot_style() -> AbstractContextManager[None]:
    """Context in which new figures have the shared style instead of the user's matplotlibrc."""
    return matplotlib.style.context(_RC_PARAMS, after_reset=True)


def line_style(index: int) -> dict[str, Any]:
    """Color and marker of the model with this index, the same in all figures of a comparison."""
    # 7 colors and 8 markers: combinations repeat after 56 models.
    return {"color": PALETTE[index % len(PALETTE)], "marker": MARKERS[index % len(MARKERS)]}


def add_model_legend(figure: Figure, labels: Sequence[str], columns: int, **style: Any) -> None:
    """Add a legend above the axes, with one entry per model in the order of `line_style`."""
    width = 76 // min(columns, len(labels))
    handles = [
        Line2D([], [], label=wrap(label, width), **line_style(index), **style)
        for index, label in enumerate(labels)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=min(columns, len(labels)))


def set_epoch_axis(axes: Axes, epochs: int) -> None:
    """Name the horizontal axis and place its ticks at whole epochs, 1 to `epochs`."""
    axes.set_xlabel("Epoch")
    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


class _PercentTicks(Formatter):
    """Fractions as `88.5 %`, all with the decimals that the most precise tick needs."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self.format_ticks([x])[0]

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        percents = [100 * float(value) for value in values]
        exact = (d for d in range(4) if all(abs(round(p, d) - p) < 1e-6 for p in percents))
        decimals = next(exact, 4)
        # Adding 0 turns -0.0 into 0.0.
        texts = (f"{round(percent, decimals) + 0:.{decimals}f} %" for percent in percents)
        return [text.replace("-", "\N{MINUS SIGN}") for text in texts]


def format_percent_ticks(axis: Axis) -> None:
    """Show fractions on this axis as percentages."""
    axis.set_major_formatter(_PercentTicks())


def wrap(name: str, width: int = 26, lines: int = 2) -> str:
    """The name in at most `lines` lines of `width` characters, truncated with an ellipsis."""
    return textwrap.fill(name, width, max_lines=lines, placeholder=" …")


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file in its own size and resolution."""
    buffer = io.BytesIO()
    with plot_style(), warnings.catch_warnings():
        # Names of classes and files may contain any characters; missing ones are drawn as boxes.
        warnings.filterwarnings("ignore", r"Glyph .* missing from")
        figure.savefig(buffer, format="png")
    return buffer.getvalue()
