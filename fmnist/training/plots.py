"""Figures of a training run."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fmnist.data.idx import SIDE
from fmnist.evaluation import metrics
from fmnist.plots.style import plot_style, wrap
from fmnist.results.training import Evaluation

_COLUMNS: Final = 5
_NAME_WIDTH: Final = 18  # characters that fit next to an arrow above an image
_CELL_WIDTH: Final = SIDE + 8  # of an image with its margin, in pixels of the images
_CELL_HEIGHT: Final = SIDE + 18


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
    wrong = np.count_nonzero(evaluation.predicted != evaluation.labels)
    with plot_style():
        if len(rows) == 0:
            figure = Figure(figsize=(4, 1), layout="constrained")
            figure.text(
                0.5, 0.5, f"No mistakes in {len(images):,} images", ha="center", va="center"
            )
            return figure
        columns = min(len(rows), _COLUMNS)
        lines = -(-len(rows) // columns)
        # One axes for all images: axes of their own would take most of the time of this figure.
        figure = Figure(figsize=(max(4, 1.6 * columns), 0.6 + 1.9 * lines), layout="constrained")
        figure.suptitle(
            f"Mistakes: {len(rows)} most confident of {wrong:,}\n"
            "true class → predicted class and its probability",
            fontsize=10,
        )
        axes = figure.add_subplot()
        axes.set_axis_off()
        for place, row in enumerate(rows):
            left, top = _CELL_WIDTH * (place % columns), _CELL_HEIGHT * (place // columns)
            label, predicted = evaluation.labels[row], evaluation.predicted[row]
            extent = (left, left + SIDE, top + SIDE, top)
            axes.imshow(images[row], cmap="gray_r", vmin=0, vmax=255, extent=extent)
            axes.text(
                left + SIDE / 2,
                top - 1,
                f"{wrap(class_names[label], _NAME_WIDTH)}\n"
                f"→ {wrap(class_names[predicted], _NAME_WIDTH)}\n"
                f"{evaluation.probabilities[row, predicted]:.1%}, row {row}",
                fontsize=8,
                ha="center",
                va="bottom",
            )
        axes.set_xlim(-4, _CELL_WIDTH * columns - 4)
        axes.set_ylim(_CELL_HEIGHT * lines - 16, -16)
    return figure
