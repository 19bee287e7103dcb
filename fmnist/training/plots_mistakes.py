"""Pictures of what a model got wrong."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fmnist.evaluation import metrics
from fmnist.plots.style import plot_style, wrap
from fmnist.results.training import Evaluation

_COLUMNS = 5

# Characters of a name beside an arrow that a tile holds even where all are capitals.
_NAME_WIDTH = 18


def mistakes(
    images: npt.NDArray[np.uint8],
    evaluation: Evaluation,
    class_names: Sequence[str],
    count: int = 25,
) -> Figure:
    """The most confident wrong answers, each with its true and predicted class and its row.

    Args:
        images: (n, 28, 28) uint8, 0 is background, 255 is ink; the images that were evaluated.
        class_names: the 10 names in label order.
        count: pictures to show at most.
    """
    if len(images) != len(evaluation.labels):
        raise ValueError(
            f"wanted the {len(evaluation.labels):,} evaluated images, got {len(images):,}"
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
        tiles = figure.subplots(lines, columns, squeeze=False).ravel()
        for tile in tiles:
            tile.set_axis_off()
        for tile, row in zip(tiles, rows, strict=False):
            truth, answer = evaluation.labels[row], evaluation.predicted[row]
            tile.imshow(images[row], cmap="gray_r", vmin=0, vmax=255)
            tile.set_title(
                f"{wrap(class_names[truth], _NAME_WIDTH)}\n"
                f"→ {wrap(class_names[answer], _NAME_WIDTH)}\n"
                f"{evaluation.probabilities[row, answer]:.1%}, row {row}",
                fontsize=8,
            )
    return figure
