"""What was measured over the epochs of one or more fits.

Validation is solid with full markers, training dashed with hollow ones, so that a fit of a single
epoch, which has no line, can be read too.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fmnist import names
from fmnist.plots.style import GRAY, line_style, plot_style, wrap
from fmnist.results.training import History

_TRAINING: Final[dict[str, Any]] = {"linestyle": "--", "markerfacecolor": "white"}
_VALIDATION: Final[dict[str, Any]] = {"linestyle": "-"}
_RING: Final[dict[str, Any]] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 11,
    "fillstyle": "none",
    # In a long fit the first and last epochs lie so near the edge that a ring would be cut.
    "clip_on": False,
}

# Long fits get about this many markers a line, not a string of beads.
_MARKERS_A_LINE = 15

# Three names of this many characters fill a row of the legend.
_MODELS_A_ROW = 3
_NAME_WIDTH = 26
_NAME_WIDTH_OF_MANY = 34


def accuracy(histories: Mapping[str, History]) -> Figure:
    """Accuracy over epochs, one color a model, its highest validation accuracy in a ring.

    Args:
        histories: the fits by the name to show for each, in the order to draw them.
    """
    with plot_style():
        figure, axes = _curves(histories, names.TRAIN_ACCURACY, names.VAL_ACCURACY, "highest")
        axes.set_ylabel("Accuracy")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.5g}%"))
    return figure


def convergence(histories: Mapping[str, History]) -> Figure:
    """Loss over epochs, one color a model, its lowest validation loss in a ring.

    Args:
        histories: the fits by the name to show for each, in the order to draw them.
    """
    with plot_style():
        figure, axes = _curves(histories, names.TRAIN_LOSS, names.VAL_LOSS, "lowest")
        axes.set_ylabel("Cross-entropy loss (nats)")
    return figure


def _curves(
    histories: Mapping[str, History],
    training: str,
    validation: str,
    best: Literal["highest", "lowest"],
) -> tuple[Figure, Axes]:
    """Both metrics of every history that has them, with legends; the value axis is unnamed.

    Lines are labeled `NAME training`, `NAME validation` and, the ring, `NAME best`.
    """
    if not histories:
        raise ValueError("wanted at least one history to draw, got none")
    many = len(histories) > _MODELS_A_ROW
    rows = -(-len(histories) // _MODELS_A_ROW)
    size = (9, 4.7 + 0.4 * rows) if many else (7, 4.6)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot(xlabel="Epoch")
    # Many training lines would hide the validation lines, which the models are compared by.
    faded = {"alpha": 0.6, "linewidth": 1} if many else {}
    models: list[Line2D] = []
    meanings: dict[str, Line2D] = {}
    for index, (name, history) in enumerate(histories.items()):
        model = line_style(index) | {"markevery": -(-history.epochs // _MARKERS_A_LINE)}
        width = _NAME_WIDTH_OF_MANY if many else _NAME_WIDTH
        models.append(Line2D([], [], label=wrap(name, width), **model))
        epochs = range(1, history.epochs + 1)
        for metric, meaning, style in (
            (training, "training", _TRAINING | faded),
            (validation, "validation", _VALIDATION),
        ):
            if metric in history.metrics:
                axes.plot(
                    epochs, history.column(metric), label=f"{name} {meaning}", **model, **style
                )
                meanings[meaning] = Line2D([], [], color=GRAY, marker="o", **style)
        if validation in history.metrics:
            values = history.column(validation)
            at = int(np.argmax(values) if best == "highest" else np.argmin(values))
            axes.plot(
                [epochs[at]], [values[at]], color=model["color"], label=f"{name} best", **_RING
            )
            meanings[f"{best} validation"] = Line2D([], [], color=GRAY, **_RING)
    longest = max(history.epochs for history in histories.values())
    axes.set_xlim(0.5, longest + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
    columns = min(len(models), _MODELS_A_ROW)
    figure.legend(handles=models, loc="outside upper left", ncols=columns)
    # Outside as well: within the axes there is no place that lines are sure to leave free.
    figure.legend(
        list(meanings.values()), list(meanings), loc="outside lower right", ncols=len(meanings)
    )
    return figure, axes
