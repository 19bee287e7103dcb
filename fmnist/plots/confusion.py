"""Which classes are taken for which."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fmnist.evaluation import metrics
from fmnist.plots.style import TEXT_COLOR, plot_style, wrap
from fmnist.results.training import CLASSES, Evaluation

_MINUS: Final = "\N{MINUS SIGN}"


def confusion_matrix(evaluation: Evaluation, class_names: Sequence[str]) -> Figure:
    """Counts of images by true and predicted class, colored by their share of the true class.

    Args:
        class_names: the 10 names in label order.
    """
    counts = metrics.confusion_counts(evaluation)
    # A class without images has a row of zeros, not of 0 / 0.
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with plot_style():
        figure, axes = _table(class_names)
        axes.set_title(
            f"{counts.trace():,} of {counts.sum():,} images correct "
            f"({metrics.accuracy(evaluation):.2%})"
        )
        # The square root shows confusions of a few percent, which a linear scale leaves white.
        image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
        _write(axes, image.to_rgba(shares), [[str(count) for count in row] for row in counts])
        bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02, label="Share of the true class")
        bar.outline.set_visible(False)
        bar.set_ticks([0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1])
        bar.ax.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    return figure


def confusion_difference(
    first: Evaluation, second: Evaluation, labels: tuple[str, str], class_names: Sequence[str]
) -> Figure:
    """How many images more the first model gave each answer than the second, by true class.

    Args:
        first, second: answers on the same images.
        labels: what the two models are called.
        class_names: the 10 names in label order.
    """
    counts = metrics.confusion_counts(first) - metrics.confusion_counts(second)
    limit = max(1, int(np.abs(counts).max()))
    with plot_style():
        title = "\n".join(
            wrap(f"{sign}: more often the answer of {label}", 64, 3)
            for sign, label in zip(("Blue, +", f"Red, {_MINUS}"), labels, strict=True)
        )
        figure, axes = _table(class_names, height=7 + 0.22 * title.count("\n"))
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        image = axes.imshow(counts, cmap="RdBu", vmin=-limit, vmax=limit)
        told = [[f"{n:+d}".replace("-", _MINUS) if n else "" for n in row] for row in counts]
        _write(axes, image.to_rgba(counts), told)
        for label in range(CLASSES):
            corner = (label - 0.5, label - 0.5)
            axes.add_patch(
                Rectangle(
                    corner, 1, 1, fill=False, edgecolor=TEXT_COLOR, linewidth=1.2, clip_on=False
                )
            )
        axes.set_xlabel("Answer (framed: the right one)")
        bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02, label="Difference in images")
        bar.outline.set_visible(False)
        bar.locator = MaxNLocator(8, integer=True)
        bar.update_ticks()
    return figure


def _table(class_names: Sequence[str], height: float = 6.6) -> tuple[Figure, Axes]:
    """Empty axes with the classes' names on both sides."""
    figure = Figure(figsize=(7.4, height), layout="constrained")
    axes = figure.add_subplot(xlabel="Predicted class", ylabel="True class")
    labels = [wrap(name) for name in class_names]
    axes.set_xticks(
        range(CLASSES),
        labels,
        rotation=45,
        rotation_mode="anchor",
        ha="right",
        va="top",
        linespacing=1,
    )
    axes.set_yticks(range(CLASSES), labels)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure, axes


def _write(axes: Axes, fills: npt.NDArray[np.float64], cells: Sequence[Sequence[str]]) -> None:
    """The text of each cell in its middle, readable on its fill."""
    for row, column in np.ndindex(CLASSES, CLASSES):
        axes.text(
            column,
            row,
            cells[row][column],
            ha="center",
            va="center",
            color=_ink_on(fills[row, column]),
            fontsize=9,
        )


def _ink_on(fill: npt.NDArray[np.float64]) -> str:
    """Black or white, whichever contrasts more with an sRGB fill by WCAG 2.2's contrast ratio."""
    linear = np.where(fill[:3] <= 0.04045, fill[:3] / 12.92, ((fill[:3] + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"
