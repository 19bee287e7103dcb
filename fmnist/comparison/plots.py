"""The figures of a comparison."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fmnist import names
from fmnist.comparison.plots_cost import plot_accuracy_vs_cost
from fmnist.comparison.results import Comparison
from fmnist.evaluation.metrics import ClassScore
from fmnist.plots import confusion, curves
from fmnist.plots.style import add_model_legend, line_style, plot_style, to_png, wrap
from fmnist.results.training import Evaluation

_TILE_COLUMNS: Final = 5
_TILE_NAME_WIDTH: Final = 18
_CORRECT: Final = "\N{CHECK MARK}"
_WRONG: Final = "\N{MULTIPLICATION SIGN}"


def render_figures(
    comparison: Comparison, images: npt.NDArray[np.uint8] | None
) -> dict[str, bytes]:
    """The figures as PNG files, by artifact name.

    Args:
        images: (n, 28, 28) uint8, the images of the test file; None omits the figure that shows
            images.
    """
    models, class_names = comparison.models, comparison.class_names
    histories = {model.label: model.run.history for model in models}
    first, second = models[:2]
    figures = {
        names.FIGURE_ACCURACY_BY_EPOCH: curves.plot_accuracy(histories),
        names.FIGURE_CONVERGENCE: curves.plot_convergence(histories),
        names.FIGURE_ACCURACY_VS_COST: plot_accuracy_vs_cost(models),
        names.FIGURE_PER_CLASS_COMPARISON: plot_f1_by_class(
            {model.label: model.per_class for model in models}, class_names
        ),
        names.FIGURE_CONFUSION_DIFFERENCE: confusion.plot_confusion_difference(
            first.run.test, second.run.test, (first.label, second.label), class_names
        ),
    }
    if images is not None:
        figures[names.FIGURE_DISAGREEMENTS] = plot_disagreements(
            images[comparison.models[0].run.rows],
            comparison.models[0].run.rows,
            {model.label: model.run.test for model in comparison.finalists},
            class_names,
        )
    return {name: to_png(figure) for name, figure in figures.items()}


def plot_f1_by_class(
    scores: Mapping[str, Sequence[ClassScore]], class_names: Sequence[str]
) -> Figure:
    """F1 of each class, one marker per model; the class with the lowest mean is at the top.

    Args:
        scores: one score per class in label order, by the label of the model.
    """
    table = pd.DataFrame(
        [
            {"model": label, "class": wrap(name), "f1": score.f1}
            for label, rows in scores.items()
            for name, score in zip(class_names, rows, strict=True)
        ]
    )
    order = table.groupby("class", sort=False)["f1"].mean().sort_values(kind="stable").index
    styles = [line_style(index) for index in range(len(scores))]
    with plot_style():
        height = max(0.4, 0.09 * len(scores)) * len(class_names)
        figure = Figure(figsize=(8, 1 + height + 0.2 * len(scores)), layout="constrained")
        axes = figure.add_subplot()
        for row in range(0, len(class_names), 2):
            axes.axhspan(row - 0.5, row + 0.5, color="#F3F3F3", linewidth=0, zorder=0)
        sns.pointplot(
            table,
            x="f1",
            y="class",
            hue="model",
            order=order,
            dodge=min(0.2 * (len(scores) - 1), 0.8) or False,
            palette=[style["color"] for style in styles],
            markers=[style["marker"] for style in styles],
            linestyles="none",
            markersize=5.5,
            errorbar=None,
            legend=False,
            ax=axes,
        )
        axes.set(xlabel="F1", ylabel="")
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        add_model_legend(figure, list(scores), columns=2, linestyle="none")
    return figure


def plot_disagreements(
    images: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    predictions: Mapping[str, Evaluation],
    class_names: Sequence[str],
    count: int = 10,
) -> Figure:
    """Images that only one of two models classifies correctly.

    For each of the two models, those images are shown for which the product of both confidences is
    highest.

    Args:
        images: (n, 28, 28) uint8.
        rows: (n,) int64, their row numbers in the test file.
        predictions: of the two models for these images, by label.
        count: maximum number of images for each of the two models.
    """
    (one, first), (other, second) = predictions.items()
    directions = [(one, first, other, second), (other, second, one, first)]
    selected = [_sort_by_confidence(correct, wrong) for _, correct, _, wrong in directions]
    heights = [0.95 + 2.1 * -(-min(len(s), count) // _TILE_COLUMNS) for s in selected]
    with plot_style():
        layout = ConstrainedLayoutEngine(h_pad=0.1, hspace=0.08)
        figure = Figure(figsize=(9.5, sum(heights)), layout=layout)
        subfigures = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
        for subfigure, direction, indices in zip(subfigures, directions, selected, strict=True):
            correct_label, correct, wrong_label, wrong = direction
            subfigure.suptitle(
                f"{_CORRECT} correct: {wrap(correct_label, 80, 1)}\n"
                f"{_WRONG} wrong: {wrap(wrong_label, 90, 1)}\n"
                f"{min(len(indices), count):,} of {len(indices):,} such images",
                fontsize=10,
                x=0.01,
                ha="left",
            )
            if not len(indices):
                continue
            tile_rows = -(-min(len(indices), count) // _TILE_COLUMNS)
            tiles = subfigure.subplots(tile_rows, _TILE_COLUMNS, squeeze=False)
            for tile in tiles.flat:
                tile.set_axis_off()
            for tile, index in zip(tiles.flat, indices[:count], strict=False):
                tile.imshow(images[index], cmap="gray_r", vmin=0, vmax=255)
                lines = [
                    f"{mark} {wrap(class_names[model.predicted[index]], _TILE_NAME_WIDTH)} "
                    f"{model.probabilities[index].max():.0%}"
                    for mark, model in ((_CORRECT, correct), (_WRONG, wrong))
                ]
                tile.set_title("\n".join([*lines, f"row {rows[index]}"]), fontsize=8)
    return figure


def _sort_by_confidence(correct: Evaluation, wrong: Evaluation) -> npt.NDArray[np.int64]:
    """Indices of images that only `correct` classifies correctly, most confident first."""
    indices = np.flatnonzero(
        (correct.predicted == correct.labels) & (wrong.predicted != wrong.labels)
    )
    confidence = correct.probabilities.max(axis=1) * wrong.probabilities.max(axis=1)
    return indices[np.argsort(-confidence[indices], kind="stable")]
