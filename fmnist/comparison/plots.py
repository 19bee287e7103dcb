"""The figures of a comparison."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from fmnist import names
from fmnist.comparison.models import ComparedModel
from fmnist.comparison.plots_cost import plot_accuracy_vs_cost
from fmnist.comparison.results import Comparison
from fmnist.evaluation import metrics
from fmnist.plots.confusion import plot_confusion_difference
from fmnist.plots.formatting import format_percent
from fmnist.plots.images import plot_image_grid
from fmnist.plots.style import (
    PALETTE,
    add_model_legend,
    format_percent_ticks,
    line_style,
    plot_style,
    set_epoch_axis,
    to_png,
    wrap,
)


def render_figures(
    comparison: Comparison, images: npt.NDArray[np.uint8] | None
) -> dict[str, bytes]:
    """The figures as PNG files, by artifact name.

    Args:
        images: (n, 28, 28) uint8, the images of the test file; None omits the figure that shows
            images.
    """
    models, class_names = comparison.models, comparison.class_names
    first, second = comparison.finalists
    figures = {
        names.FIGURE_TEST_ACCURACY: plot_test_accuracy(models),
        names.FIGURE_ACCURACY_BY_EPOCH: plot_epochs(
            models, names.TRAIN_ACCURACY, names.VAL_ACCURACY, "Accuracy"
        ),
        names.FIGURE_CONVERGENCE: plot_epochs(
            models, names.TRAIN_LOSS, names.VAL_LOSS, "Cross-entropy loss (nats)"
        ),
        names.FIGURE_ACCURACY_VS_COST: plot_accuracy_vs_cost(models),
        names.FIGURE_CONFUSION_DIFFERENCE: plot_confusion_difference(
            _average_confusion(first),
            _average_confusion(second),
            (first.label, second.label),
            class_names,
        ),
    }
    if images is not None:
        figures[names.FIGURE_DISAGREEMENTS] = plot_disagreements(
            images[comparison.rows], (first, second), class_names
        )
    return {name: to_png(figure) for name, figure in figures.items()}


def plot_test_accuracy(models: Sequence[ComparedModel]) -> Figure:
    """Mean test accuracy with its 95 % interval, and the accuracy of each seed."""
    with plot_style():
        figure = Figure(figsize=(4.6, 1.1 + 0.45 * len(models)), layout="constrained")
        axes = figure.add_subplot()
        for row, model in enumerate(models):
            style = line_style(row)
            seeds = model.correct.mean(axis=1)
            axes.plot(
                seeds, np.full(len(seeds), row + 0.22), linestyle="none", alpha=0.6,
                label="_seeds", **style | {"marker": "|", "markersize": 7},
            )  # fmt: skip
            axes.errorbar(
                [model.accuracy.mean], [row],
                xerr=model.accuracy.error_bar,
                capsize=3, markersize=6, linestyle="none", label=model.label, **style,
            )  # fmt: skip
        axes.set_yticks(range(len(models)), [wrap(model.label, 24) for model in models])
        axes.set_ylim(len(models) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Test accuracy")
        format_percent_ticks(axes.xaxis)
    return figure


def plot_epochs(
    models: Sequence[ComparedModel], training: str, validation: str, title: str
) -> Figure:
    """A metric by epoch on the training and on the validation rows.

    Lines are means over the seeds, bands reach from the lowest to the highest seed.

    Args:
        training, validation: names of the metric in the histories.
    """
    table = pd.concat(
        (
            pd.DataFrame(run.history.rows).assign(
                model=index, epoch=np.arange(1, run.history.epochs + 1)
            )
            for index, model in enumerate(models)
            for run in model.runs
        ),
        ignore_index=True,
    )
    epochs = int(table["epoch"].max())
    styles = dict(enumerate(map(line_style, range(len(models)))))
    with plot_style():
        figure = Figure(figsize=(9, 4.2 + 0.2 * -(-len(models) // 3)), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, metric, rows in zip(
            panels, (training, validation), ("Training rows", "Validation rows"), strict=True
        ):
            axes.set_title(rows, loc="left")
            set_epoch_axis(axes, epochs)
            if metric not in table:
                continue
            sns.lineplot(
                table, x="epoch", y=metric, hue="model", style="model",
                errorbar=("pi", 100), legend=False, ax=axes,
                palette={index: style["color"] for index, style in styles.items()},
                markers={index: style["marker"] for index, style in styles.items()},
                dashes=False, markeredgewidth=0,
            )  # fmt: skip
            axes.set(xlabel="Epoch", ylabel="")
        panels[0].set_ylabel(title)
        if "accuracy" in training:
            format_percent_ticks(panels[0].yaxis)
        add_model_legend(figure, [model.label for model in models], columns=3)
    return figure


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
        indices = _find_disagreements(correct, wrong)
        titles.append(
            f"{name}: only {wrap(correct.label, 30, 1)} correct ({len(indices):,} images)"
        )
        means = [_average_probabilities(model) for model in (correct, wrong)]
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


def _find_disagreements(correct: ComparedModel, wrong: ComparedModel) -> npt.NDArray[np.int64]:
    """Indices of the images, those for which both models have the highest confidence first."""
    indices = np.flatnonzero(correct.correct.all(axis=0) & ~wrong.correct.any(axis=0))
    confidences = [_average_probabilities(each)[indices].max(axis=1) for each in (correct, wrong)]
    return indices[np.argsort(-confidences[0] * confidences[1], kind="stable")]


def _average_probabilities(model: ComparedModel) -> npt.NDArray[np.float32]:
    """Mean over the replicates, (n, classes)."""
    total = np.zeros_like(model.runs[0].test.probabilities)
    for run in model.runs:  # without a copy of all probabilities
        total += run.test.probabilities
    return total / np.float32(len(model.runs))


def _average_confusion(model: ComparedModel) -> npt.NDArray[np.float64]:
    """The mean of the confusion matrices of the replicates."""
    counts = [metrics.confusion_counts(run.test) for run in model.runs]
    return np.mean(counts, axis=0)
