"""Figures of a training run, and its mistakes as single images for MLflow's image view."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from fmnist import names
from fmnist.data.idx import SIDE
from fmnist.evaluation import metrics
from fmnist.plots.formatting import format_percent
from fmnist.plots.images import plot_image_grid
from fmnist.plots.style import PALETTE, format_percent_ticks, plot_style, set_epoch_axis, wrap
from fmnist.results.training import Evaluation, History

Images = npt.NDArray[np.uint8]

# The weights change during an epoch, so training metrics lag behind those of validation, which are
# measured at its end.
TRAINING_MEANING: Final = "training (mean during the epoch)"

_MAX_MARKERS: Final = 15
_NAME_WIDTH: Final = 18  # characters that fit next to an arrow above an image

_WIDTH: Final = 8 * SIDE  # of a single image, in pixels
_FONT_PIXELS: Final = 14
_LINE_PIXELS: Final = 18


def plot_history(
    history: History,
    quantity: Literal["accuracy", "loss"],
    model: str,
    evaluated: int,
    training: str = TRAINING_MEANING,
) -> Figure:
    """Plot accuracy or loss over the epochs; a ring marks the epoch whose weights were evaluated.

    Args:
        history: with or without validation metrics.
        model: name of the model.
        evaluated: the epoch, from 1, whose weights were evaluated.
        training: meaning of the training metrics, for the legend.
    """
    meanings = {names.TRAIN_LOSS: training, names.VAL_LOSS: "validation"}
    if quantity == "accuracy":
        meanings = {names.TRAIN_ACCURACY: training, names.VAL_ACCURACY: "validation"}
    present = [metric for metric in meanings if metric in history.metrics]
    # Hollow and filled markers, so that a fit of one epoch, which has no line, is also readable.
    styles: list[dict[str, Any]] = [
        {"color": PALETTE[1], "linestyle": "--", "marker": "o", "markerfacecolor": "white"},
        {"color": PALETTE[0], "linestyle": "-", "marker": "o"},
    ]
    with plot_style():
        figure = Figure(figsize=(7.6, 4.6), layout="constrained")
        axes = figure.add_subplot()
        epochs = np.arange(1, history.epochs + 1)
        for metric, style in zip(present, styles, strict=False):
            style["label"] = wrap(meanings[metric], 40)
            style["markevery"] = -(-history.epochs // _MAX_MARKERS)
            axes.plot(epochs, history.column(metric), **style)
        ring = f"evaluated: epoch {evaluated}"
        if names.VAL_LOSS in history.metrics and evaluated == history.best_epoch:
            ring += "\n(lowest validation loss)"
        # In the first and last epoch of long fits, the ring reaches over the edge.
        axes.plot(
            evaluated, history.column(present[-1])[evaluated - 1], "o", color=style["color"], ms=11,
            fillstyle="none", clip_on=False, label=ring,
        )  # fmt: skip
        set_epoch_axis(axes, history.epochs)
        axes.set_title(wrap(model, 60), loc="left")
        if quantity == "accuracy":
            axes.set_ylabel("Accuracy")
            format_percent_ticks(axes.yaxis)
        else:
            axes.set_ylabel("Cross-entropy loss (nats)")
        # Outside the axes, because inside it could cover a line.
        figure.legend(loc="outside lower center", ncols=3)
    return figure


def plot_mistakes(
    images: Images, evaluation: Evaluation, class_names: Sequence[str], count: int = 25
) -> Figure:
    """Show the most confident wrong predictions with true and predicted class.

    Args:
        images: (n, 28, 28) uint8, 0 is background, 255 is ink; the evaluated images.
        class_names: names in label order.
        count: largest number of images to show.
    """
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


def draw_mistakes(
    images: Images, evaluation: Evaluation, class_names: Sequence[str], count: int = 10
) -> list[Images]:
    """Draw each of the most confident wrong predictions; see `plot_mistakes`.

    Returns:
        Grayscale images (height, width) uint8, most confident first.
    """
    font = ImageFont.load_default(_FONT_PIXELS)
    drawn = []
    for row in metrics.mistakes(evaluation, count):
        label, predicted = evaluation.labels[row], evaluation.predicted[row]
        probability = format_percent(evaluation.probabilities[row, predicted], 1)
        lines = (
            f"true: {class_names[label]}",
            f"predicted: {class_names[predicted]}",
            f"probability {probability}, test row {row}",
        )
        top = len(lines) * _LINE_PIXELS + 4
        picture = Image.new("L", (_WIDTH, top + _WIDTH), 255)
        enlarged = Image.fromarray(255 - images[row]).resize((_WIDTH, _WIDTH), Image.Resampling.BOX)
        picture.paste(enlarged, (0, top))
        draw = ImageDraw.Draw(picture)
        for number, line in enumerate(lines):
            draw.text((2, 2 + number * _LINE_PIXELS), line, fill=0, font=font)
        drawn.append(np.asarray(picture))
    return drawn
