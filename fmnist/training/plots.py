"""Figures of a training run."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fmnist.evaluation import metrics
from fmnist.plots.style import plot_style, wrap
from fmnist.results.training import Evaluation

_COLUMNS: Final = 5
_NAME_WIDTH: Final = 18  # characters that fit next to an arrow in the title of an image


def plot_mistakes(
    images: npt.NDArray[np.uint8],
    evaluation: Evaluation,
    class_names: Sequence[str],
    count: int = 25,
) -> Figure:
    """Show the most confident wrong predictions with true and predicted class.

    Args:
        images: (n, 28, 28) uint8, 0 is background, 255 is ink; the evaluated images.
        class_names: the 10 names in label order.
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
        figure = Figure(figsize=(max(4, 1.6 * columns), 0.6 + 1.9 * lines), layout="constrained")
        figure.suptitle(
            f"Mistakes: {len(rows)} most confident of {wrong:,}\n"
            "true class → predicted class and its probability",
            fontsize=10,
        )
        all_axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes in all_axes:
            axes.set_axis_off()
        for axes, row in zip(all_axes, rows, strict=False):
            label, predicted = evaluation.labels[row], evaluation.predicted[row]
            axes.imshow(images[row], cmap="gray_r", vmin=0, vmax=255)
            axes.set_title(
                f"{wrap(class_names[label], _NAME_WIDTH)}\n"
                f"→ {wrap(class_names[predicted], _NAME_WIDTH)}\n"
                f"{evaluation.probabilities[row, predicted]:.1%}, row {row}",
                fontsize=8,
            )
    return figure
