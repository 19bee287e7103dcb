"""Test images that every training of one model classifies correctly, and none of another."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fmnist.comparison.results import ComparedModel
from fmnist.plots.formatting import format_percent
from fmnist.plots.images import plot_image_grid
from fmnist.plots.style import PALETTE, wrap


def plot_disagreements(
    images: npt.NDArray[np.uint8],
    models: tuple[ComparedModel, ComparedModel],
    class_names: Sequence[str],
    count: int = 6,
) -> Figure:
    """Images that all trainings of one model classify correctly, and none of the other.

    Args:
        images: (n, 28, 28) uint8, the images of the compared rows.
        count: maximum number of images for each direction.
    """
    rows, titles, captions, frames = models[0].runs[0].rows, [], [], []
    shown: list[int] = []
    directions = (("Blue", models), ("Orange", models[::-1]))
    for (name, (correct, wrong)), color in zip(directions, PALETTE, strict=False):
        indices = find_disagreements(correct, wrong)
        titles.append(
            f"{name}: only {wrap(correct.label, 30, 1)} correct ({len(indices):,} images)"
        )
        means = [average_probabilities(model) for model in (correct, wrong)]
        for index in indices[:count]:
            lines = [
                f"{mark} {wrap(class_names[mean[index].argmax()], 14, 1)} "
                f"{format_percent(float(mean[index].max()), 0)}"
                for mark, mean in zip("\N{CHECK MARK}\N{MULTIPLICATION SIGN}", means, strict=True)
            ]
            captions.append("\n".join([*lines, f"row {rows[index]}"]))
            frames.append(color)
            shown.append(index)
    return plot_image_grid(images[shown], captions, "\n".join(titles), columns=6, frames=frames)


def find_disagreements(correct: ComparedModel, wrong: ComparedModel) -> npt.NDArray[np.int64]:
    """Indices of the images, those for which both models have the highest confidence first."""
    indices = np.flatnonzero(correct.correct.all(axis=0) & ~wrong.correct.any(axis=0))
    confidences = [average_probabilities(each)[indices].max(axis=1) for each in (correct, wrong)]
    return indices[np.argsort(-confidences[0] * confidences[1], kind="stable")]


def average_probabilities(model: ComparedModel) -> npt.NDArray[np.float32]:
    """Mean over the replicates, (n, classes)."""
    total = np.zeros_like(model.runs[0].test.probabilities)
    for run in model.runs:  # without a copy of all probabilities
        total += run.test.probabilities
    return total / np.float32(len(model.runs))
