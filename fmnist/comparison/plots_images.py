"""Test images that every training of one model classifies correctly, and none of another."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fmnist.comparison.results import ComparedModel
from fmnist.plots.formatting import format_percent
from fmnist.plots.style import plot_style, wrap

_COLUMNS: Final = 6
_NAME_WIDTH: Final = 16
_CORRECT: Final = "\N{CHECK MARK}"
_WRONG: Final = "\N{MULTIPLICATION SIGN}"


def plot_disagreements(
    images: npt.NDArray[np.uint8],
    models: tuple[ComparedModel, ComparedModel],
    class_names: Sequence[str],
    count: int = 6,
) -> Figure:
    """Images that all trainings of one model classify correctly, and none of the other.

    In both directions, those images are shown for which the product of the mean confidences of
    both models is highest.

    Args:
        images: (n, 28, 28) uint8, the images of the compared rows.
        count: maximum number of images for each direction.
    """
    directions = (models, models[::-1])
    selected = [find_disagreements(*direction) for direction in directions]
    heights = [0.7 + 1.9 * -(-min(len(indices), count) // _COLUMNS) for indices in selected]
    rows = models[0].runs[0].rows
    with plot_style():
        layout = ConstrainedLayoutEngine(h_pad=0.1, hspace=0.08)
        figure = Figure(figsize=(9.5, sum(heights)), layout=layout)
        subfigures = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
        for subfigure, (correct, wrong), indices in zip(
            subfigures, directions, selected, strict=True
        ):
            subfigure.suptitle(
                f"{_CORRECT} {wrap(correct.label, 45, 1)} correct, {_WRONG} "
                f"{wrap(wrong.label, 45, 1)} wrong: {len(indices):,} images",
                fontsize=10, x=0.01, ha="left",
            )  # fmt: skip
            if not len(indices):
                continue
            shown = indices[:count]
            tiles = subfigure.subplots(-(-len(shown) // _COLUMNS), _COLUMNS, squeeze=False)
            for tile in tiles.flat:
                tile.set_axis_off()
            means = [_average_probabilities(model)[shown] for model in (correct, wrong)]
            for number, (tile, index) in enumerate(zip(tiles.flat, shown, strict=False)):
                tile.imshow(images[index], cmap="gray_r", vmin=0, vmax=255)
                lines = [
                    f"{mark} {wrap(class_names[mean[number].argmax()], _NAME_WIDTH, 1)} "
                    f"{format_percent(float(mean[number].max()), 0)}"
                    for mark, mean in zip((_CORRECT, _WRONG), means, strict=True)
                ]
                tile.set_title("\n".join([*lines, f"row {rows[index]}"]), fontsize=8)
    return figure


def find_disagreements(correct: ComparedModel, wrong: ComparedModel) -> npt.NDArray[np.int64]:
    """Indices of images on which all trainings disagree, those with high confidence first."""
    indices = np.flatnonzero(correct.correct.all(axis=0) & ~wrong.correct.any(axis=0))
    confidences = [_average_probabilities(each)[indices].max(axis=1) for each in (correct, wrong)]
    return indices[np.argsort(-confidences[0] * confidences[1], kind="stable")]


def _average_probabilities(model: ComparedModel) -> npt.NDArray[np.float32]:
    total = np.zeros_like(model.runs[0].test.probabilities)
    for run in model.runs:  # without a copy of all probabilities
        total += run.test.probabilities
    return total / np.float32(len(model.runs))
