"""Confusion matrices."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from fmnist.evaluation import metrics
from fmnist.plots.formatting import format_percent
from fmnist.plots.style import TEXT_COLOR, format_percent_ticks, plot_style, wrap
from fmnist.results.training import Evaluation

_MINUS: Final = "\N{MINUS SIGN}"
_MAX_ANNOTATED: Final = 40  # classes; with more, the numbers would be unreadable


def plot_confusion_matrix(evaluation: Evaluation, class_names: Sequence[str]) -> Figure:
    """Number of images by true and predicted class, colored by the fraction of the true class.

    Args:
        class_names: names in label order.
    """
    counts = metrics.confusion_counts(evaluation)
    # A class without images has a row of zeros instead of 0 / 0.
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with plot_style():
        # On the square root scale, confusions of a few percent are visible.
        norm = PowerNorm(0.5, vmin=0, vmax=1)
        figure, axes, bar = _plot_heatmap(
            fractions, counts.astype(str), class_names, 6.6, cmap="Blues", norm=norm
        )
        axes.set_title(
            f"{counts.trace():,} of {counts.sum():,} images correct "
            f"({format_percent(metrics.accuracy(evaluation))})",
            loc="left",
        )
        bar.set_label("Fraction of the true class")
        bar.set_ticks([0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1])
        format_percent_ticks(bar.ax.yaxis)
    return figure


def plot_confusion_difference(
    first: npt.NDArray[np.float64],
    second: npt.NDArray[np.float64],
    labels: tuple[str, str],
    class_names: Sequence[str],
) -> Figure:
    """Confusion matrix of the first model minus that of the second.

    Args:
        first, second: (classes, classes), number of images by true and predicted class, perhaps
            the mean over several trainings.
        labels: of the two models.
        class_names: names in label order.
    """
    counts = np.rint(first - second).astype(np.int64)
    limit = max(1, int(np.abs(counts).max()))
    annotations = np.array([f"{n:+d}".replace("-", _MINUS) if n else "" for n in counts.flat])
    with plot_style():
        title = "\n".join(
            wrap(f"{sign}: predicted more often by {label}", 64, 3)
            for sign, label in zip(("Blue, +", f"Red, {_MINUS}"), labels, strict=True)
        )
        figure, axes, bar = _plot_heatmap(
            counts,
            annotations.reshape(counts.shape),
            class_names,
            7 + 0.22 * title.count("\n"),
            cmap="RdBu",
            vmin=-limit,
            vmax=limit,
        )
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        axes.set_xlabel("Predicted class (framed: correct)")
        for label in range(len(class_names)):
            frame = Rectangle((label, label), 1, 1, fill=False, edgecolor=TEXT_COLOR, linewidth=1.2)
            frame.set_clip_on(False)
            axes.add_patch(frame)
        bar.set_label("Difference in images")
        bar.locator = MaxNLocator(8, integer=True)
        bar.update_ticks()
    return figure


def _plot_heatmap(
    values: npt.NDArray[Any],
    annotations: npt.NDArray[np.str_],
    class_names: Sequence[str],
    height: float,
    **colors: Any,
) -> tuple[Figure, Axes, Colorbar]:
    """Annotated cells, true classes in rows and predicted classes in columns."""
    import seaborn as sns  # takes seconds to import

    names = [wrap(name) for name in class_names]
    # A cell keeps its size, up to a figure that can still be viewed.
    scale = min(max(1.0, len(names) / 12), 4.0)
    figure = Figure(figsize=(7.4 * scale, height * scale), layout="constrained")
    axes = figure.add_subplot()
    sns.heatmap(
        values,
        annot=annotations if len(names) <= _MAX_ANNOTATED else False,
        fmt="",
        annot_kws={"fontsize": 9},
        square=True,
        xticklabels=names,
        yticklabels=names,
        cbar_kws={"shrink": 0.8, "pad": 0.02},
        ax=axes,
        **colors,
    )
    axes.set(xlabel="Predicted class", ylabel="True class")
    axes.set_xticks(
        axes.get_xticks(), names, rotation=45, rotation_mode="anchor", ha="right", va="top",
        linespacing=1,
    )  # fmt: skip
    axes.tick_params(length=0)
    axes.tick_params(axis="y", rotation=0)
    axes.grid(visible=False)
    mesh = axes.collections[0]
    for text, fill in zip(axes.texts, mesh.get_facecolor(), strict=False):
        text.set_color(_choose_text_color(np.asarray(fill)))
    return figure, axes, mesh.colorbar  # type: ignore[return-value]


def _choose_text_color(fill: npt.NDArray[np.float64]) -> str:
    """Black or white, whichever has the higher contrast ratio (WCAG 2.2) with an sRGB color."""
    linear = np.where(fill[:3] <= 0.04045, fill[:3] / 12.92, ((fill[:3] + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"
