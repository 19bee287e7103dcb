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
from matplotlib.ticker import MaxNLocator

from fmnist import names
from fmnist.plots.style import (
    GRAY,
    add_model_legend,
    format_percent_ticks,
    line_style,
    plot_style,
    wrap,
)
from fmnist.results.training import History

# The weights change during an epoch, so training metrics lag behind those of validation, which are
# measured at its end.
TRAINING_MEANING: Final = "training (mean during the epoch)"

_TRAINING: Final[dict[str, Any]] = {"linestyle": "--", "markerfacecolor": "white"}
_VALIDATION: Final[dict[str, Any]] = {"linestyle": "-"}
_RING: Final[dict[str, Any]] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 11,
    "fillstyle": "none",
    "clip_on": False,  # rings in the first and last epoch of long fits reach over the edge
}
_MAX_MARKERS: Final = 15
_LEGEND_COLUMNS: Final = 3


def plot_accuracy(
    histories: Mapping[str, History],
    evaluated: Mapping[str, int] | None = None,
    training: str = TRAINING_MEANING,
) -> Figure:
    """Accuracy over epochs, one color per model.

    Args:
        histories: by the label of the model. They may differ in length, and may lack validation.
        evaluated: the epoch, from 1, whose weights were evaluated, by label; a ring marks it. By
            default the epoch with the lowest validation loss.
        training: meaning of the training lines in the legend.
    """
    with plot_style():
        figure, axes = _plot_curves(
            histories, names.TRAIN_ACCURACY, names.VAL_ACCURACY, evaluated, training
        )
        axes.set_ylabel("Accuracy")
        format_percent_ticks(axes.yaxis)
    return figure


def plot_convergence(
    histories: Mapping[str, History],
    evaluated: Mapping[str, int] | None = None,
    training: str = TRAINING_MEANING,
) -> Figure:
    """Loss over epochs, one color per model; see `plot_accuracy`."""
    with plot_style():
        figure, axes = _plot_curves(
            histories, names.TRAIN_LOSS, names.VAL_LOSS, evaluated, training
        )
        axes.set_ylabel("Cross-entropy loss (nats)")
    return figure


def set_epoch_axis(axes: Axes, epochs: int) -> None:
    """Name the horizontal axis and place its ticks at whole epochs, 1 to `epochs`."""
    axes.set_xlabel("Epoch")
    axes.set_xlim(0.5, epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))


def _plot_curves(
    histories: Mapping[str, History],
    training: str,
    validation: str,
    evaluated: Mapping[str, int] | None,
    training_meaning: str,
) -> tuple[Figure, Axes]:
    """Plot lines labeled `MODEL training`, `MODEL validation` and, the ring, `MODEL evaluated`."""
    if not histories:
        raise ValueError("expected at least one history to plot, got none")
    many = len(histories) > _LEGEND_COLUMNS
    rows = -(-len(histories) // _LEGEND_COLUMNS)
    size = (9, 4.7 + 0.4 * rows) if many else (7.6, 4.6)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    # Many training lines would hide the validation lines, by which models are compared.
    faded = {"alpha": 0.6, "linewidth": 1} if many else {}
    legend: dict[str, Line2D] = {}
    for index, (label, history) in enumerate(histories.items()):
        style = line_style(index) | {"markevery": -(-history.epochs // _MAX_MARKERS)}
        epochs = np.arange(1, history.epochs + 1)
        for metric, name, meaning, dashes in (
            (training, "training", training_meaning, _TRAINING | faded),
            (validation, "validation", "validation", _VALIDATION),
        ):
            if metric in history.metrics:
                values = history.column(metric)
                axes.plot(epochs, values, label=f"{label} {name}", **style, **dashes)
                legend[wrap(meaning, 40)] = Line2D([], [], color=GRAY, marker="o", **dashes)
        if validation in history.metrics:
            epoch = evaluated[label] if evaluated else history.best_epoch
            value = history.column(validation)[epoch - 1]
            axes.plot(epoch, value, color=style["color"], label=f"{label} evaluated", **_RING)
            meaning = _describe_ring(histories, epoch, evaluated)
            legend[meaning] = Line2D([], [], color=GRAY, **_RING)
    set_epoch_axis(axes, max(history.epochs for history in histories.values()))
    add_model_legend(figure, list(histories), columns=_LEGEND_COLUMNS)
    # Outside the axes, because inside it could cover a line.
    figure.legend(list(legend.values()), list(legend), loc="outside lower right", ncols=len(legend))
    return figure, axes


def _describe_ring(
    histories: Mapping[str, History], epoch: int, evaluated: Mapping[str, int] | None
) -> str:
    """Say what the rings mark; for a single model also the epoch."""
    lowest = "lowest validation loss"
    if evaluated is None:
        return lowest
    is_lowest = all(evaluated[label] == each.best_epoch for label, each in histories.items())
    if len(histories) > 1:
        return lowest if is_lowest else "evaluated epoch"
    return f"evaluated: epoch {epoch}" + f"\n({lowest})" * is_lowest
