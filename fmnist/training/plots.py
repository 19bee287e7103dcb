"""Figures of a training run."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fmnist.evaluation import metrics
from fmnist.plots.formatting import format_percent
from fmnist.plots.images import plot_image_grid
from fmnist.plots.style import wrap
from fmnist.results.training import Evaluation

_NAME_WIDTH: Final = 18  # characters that fit next to an arrow above an image


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
    names = [wrap(name, _NAME_WIDTH) for name in class_names]
    captions = [
        f"{names[evaluation.labels[row]]}\n→ {names[evaluation.predicted[row]]}\n"
        f"{format_percent(float(evaluation.probabilities[row].max()), 1)}, row {row}"
        for row in rows
    ]
    wrong = np.count_nonzero(evaluation.predicted != evaluation.labels)
    title = (
        f"The {len(rows)} most confident of {wrong:,} mistakes\n"
        "true class → predicted class and its probability, row of the test file"
    )
    return plot_image_grid(images[rows], captions, title)
