"""Metrics over epochs.

Validation is drawn solid with filled markers, training dashed with hollow markers, so that a fit of
one epoch, which has no line, is also readable.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fmnist import names
from fmnist.plots.style import GRAY, add_model_legend, line_style, plot_style
from fmnist.results.training import History

_TRAINING: Final[dict[str, Any]] = {"linestyle": "--", "markerfacecolor": "white"}
_VALIDATION: Final[dict[str, Any]] = {"linestyle": "-"}
_BEST: Final[dict[str, Any]] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 11,
    "fillstyle": "none",
    "clip_on": False,  # rings in the first and last epoch of long fits reach over the edge
}
_MAX_MARKERS: Final = 15
_LEGEND_COLUMNS: Final = 3


def plot_accuracy(histories: Mapping[str, History]) -> Figure:
    """Accuracy over epochs, one color per model; a ring marks the highest validation accuracy.

    Args:
        histories: by the label of the model. They may differ in length, and may lack validation.
    """
    with plot_style():
        figure, axes = _plot_curves(histories, names.TRAIN_ACCURACY, names.VAL_ACCURACY, "highest")
        axes.set_ylabel("Accuracy")
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    return figure


def plot_convergence(histories: Mapping[str, History]) -> Figure:
    """Loss over epochs, one color per model; a ring marks the lowest validation loss.

    Args:
        histories: by the label of the model. They may differ in length, and may lack validation.
    """
    with plot_style():
        figure, axes = _plot_curves(histories, names.TRAIN_LOSS, names.VAL_LOSS, "lowest")
        axes.set_ylabel("Cross-entropy loss (nats)")
    return figure


def set_epoch_axis(axes: Axes, epochs: int) -> None:
    """Name the horizontal axis and place its ticks at whole epochs, 1 to `epochs`."""
    axes.set_xlabel("Epoch")
    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def _plot_curves(
    histories: Mapping[str, History], training: str, validation: str, best: str
) -> tuple[Figure, Axes]:
    """Lines labeled `MODEL training`, `MODEL validation` and, the ring, `MODEL best`."""
    if not histories:
        raise ValueError("expected at least one history to plot, got none")
    many = len(histories) > _LEGEND_COLUMNS
    rows = -(-len(histories) // _LEGEND_COLUMNS)
    size = (9, 4.7 + 0.4 * rows) if many else (7, 4.6)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    # Many training lines would hide the validation lines, by which models are compared.
    faded = {"alpha": 0.6, "linewidth": 1} if many else {}
    legend: dict[str, Line2D] = {}
    for index, (label, history) in enumerate(histories.items()):
        style = line_style(index) | {"markevery": -(-history.epochs // _MAX_MARKERS)}
        epochs = np.arange(1, history.epochs + 1)
        for metric, meaning, dashes in (
            (training, "training", _TRAINING | faded),
            (validation, "validation", _VALIDATION),
        ):
            if metric in history.metrics:
                values = history.column(metric)
                axes.plot(epochs, values, label=f"{label} {meaning}", **style, **dashes)
                legend[meaning] = Line2D([], [], color=GRAY, marker="o", **dashes)
        if validation in history.metrics:
            values = history.column(validation)
            at = int(np.argmax(values) if best == "highest" else np.argmin(values))
            axes.plot(at + 1, values[at], color=style["color"], label=f"{label} best", **_BEST)
            legend[f"{best} validation"] = Line2D([], [], color=GRAY, **_BEST)
    set_epoch_axis(axes, max(history.epochs for history in histories.values()))
    add_model_legend(figure, list(histories), columns=_LEGEND_COLUMNS)
    # Outside the axes, because inside it could cover a line.
    figure.legend(list(legend.values()), list(legend), loc="outside lower right", ncols=len(legend))
    return figure, axes
