"""Figures of a training run."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fmnist import names
from fmnist.evaluation import metrics
from fmnist.plots.formatting import format_percent
from fmnist.plots.images import plot_image_grid
from fmnist.plots.style import PALETTE, format_percent_ticks, plot_style, set_epoch_axis, wrap
from fmnist.results.training import Evaluation, History

# The weights change during an epoch, so training metrics lag behind those of validation, which are
# measured at its end.
TRAINING_MEANING: Final = "training (mean during the epoch)"

_MAX_MARKERS: Final = 15
_NAME_WIDTH: Final = 18  # characters that fit next to an arrow above an image


def plot_accuracy(
    history: History, model: str, evaluated: int, training: str = TRAINING_MEANING
) -> Figure:
    """Plot the accuracy over the epochs; a ring marks the epoch whose weights were evaluated.

    Args:
        history: with or without validation metrics.
        model: name of the model.
        evaluated: the epoch, from 1, whose weights were evaluated.
        training: meaning of the training metrics, for the legend.
    """
    with plot_style():
        figure = _plot_curves(
            history,
            model,
            evaluated,
            {names.TRAIN_ACCURACY: training, names.VAL_ACCURACY: "validation"},
        )
        figure.axes[0].set_ylabel("Accuracy")
        format_percent_ticks(figure.axes[0].yaxis)
    return figure


def plot_convergence(
    history: History, model: str, evaluated: int, training: str = TRAINING_MEANING
) -> Figure:
    """Plot the loss over the epochs; see `plot_accuracy`."""
    with plot_style():
        figure = _plot_curves(
            history, model, evaluated, {names.TRAIN_LOSS: training, names.VAL_LOSS: "validation"}
        )
        figure.axes[0].set_ylabel("Cross-entropy loss (nats)")
    return figure


def plot_mistakes(
    images: npt.NDArray[np.uint8],
    evaluation: Evaluation,
    class_names: Sequence[str],
    count: int = 25,
) -> Figure:
    """Show the most confident wrong predictions with true and predicted class.

    Args:
        images: (n, 28, 28) uint8, 0 is background, 255 is ink; the evaluated images.
        class_names: names in label order.
        count: largest number of images to show.
    """
    if len(images) != len(evaluation.labels):
        raise ValueError(
            f"expected the {len(evaluation.labels):,} evaluated images, got {len(images):,}"
        )
    rows = metrics.mistakes(evaluation, count)
    if not len(rows):
        return plot_image_grid(images[:0], [], f"No mistakes in {len(images):,} images")
    labels = [wrap(name, _NAME_WIDTH) for name in class_names]
    captions = [
        f"{labels[evaluation.labels[row]]}\n→ {labels[evaluation.predicted[row]]}\n"
        f"{format_percent(float(evaluation.probabilities[row].max()), 1)}, row {row}"
        for row in rows
    ]
    wrong = np.count_nonzero(evaluation.predicted != evaluation.labels)
    title = (
        f"The {len(rows)} most confident of {wrong:,} mistakes\n"
        "true class → predicted class and its probability, row of the test file"
    )
    return plot_image_grid(images[rows], captions, title)


def _plot_curves(history: History, model: str, evaluated: int, meanings: dict[str, str]) -> Figure:
    """Plot the metrics that the history has, by name; a ring marks the last of them."""
    figure = Figure(figsize=(7.6, 4.6), layout="constrained")
    axes = figure.add_subplot()
    epochs = np.arange(1, history.epochs + 1)
    # Hollow and filled markers, so that a fit of one epoch, which has no line, is also readable.
    styles: list[dict[str, Any]] = [
        {"color": PALETTE[1], "linestyle": "--", "marker": "o", "markerfacecolor": "white"},
        {"color": PALETTE[0], "linestyle": "-", "marker": "o"},
    ]
    present = [metric for metric in meanings if metric in history.metrics]
    for metric, style in zip(present, styles, strict=False):
        axes.plot(
            epochs, history.column(metric), label=wrap(meanings[metric], 40),
            markevery=-(-history.epochs // _MAX_MARKERS), **style,
        )  # fmt: skip
    lowest = names.VAL_LOSS in history.metrics and evaluated == history.best_epoch
    # In the first and last epoch of long fits, the ring reaches over the edge.
    axes.plot(
        evaluated, history.column(present[-1])[evaluated - 1], "o", color=style["color"], ms=11,
        fillstyle="none", clip_on=False,
        label=f"evaluated: epoch {evaluated}" + "\n(lowest validation loss)" * lowest,
    )  # fmt: skip
    set_epoch_axis(axes, history.epochs)
    axes.set_title(wrap(model, 60), loc="left")
    # Outside the axes, because inside it could cover a line.
    figure.legend(loc="outside lower center", ncols=3)
    return figure
