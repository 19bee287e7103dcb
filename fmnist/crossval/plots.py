"""Figures of a cross-validation: accuracy and loss of its folds, and label issues."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmnist import names
from fmnist.plots.formatting import format_mean_std, format_percent
from fmnist.plots.images import plot_image_grid
from fmnist.plots.style import (
    GRAY,
    PALETTE,
    TEXT_COLOR,
    format_percent_ticks,
    plot_style,
    set_epoch_axis,
    wrap,
)
from fmnist.results.training import History

_CLEAR_FOLDS: Final = 10  # lines of more folds would hide their mean
_ISSUES_SHOWN: Final = 30
_NAME_WIDTH: Final = 12  # characters that fit before a probability above an image


class MeanStd(NamedTuple):
    """Mean and population standard deviation of the accuracy of several folds."""

    mean: float
    std: float


def plot_accuracies(
    held_out: Sequence[float],
    test: Sequence[float],
    model: str,
    reference: MeanStd | None = None,
) -> Figure:
    """Plot the accuracy of each fold on its held-out rows and on the test rows.

    Args:
        reference: test accuracy to compare with, drawn as a band.
    """
    groups = {"Held-out rows": held_out, "Test rows": test}
    table = pd.DataFrame(groups).melt(var_name="rows", value_name="accuracy")
    colors = dict(zip(groups, PALETTE, strict=False))
    with plot_style():
        figure = Figure(figsize=(7, 4.4), layout="constrained")
        axes = figure.add_subplot()
        # Without jitter, which is random: the same folds give the same figure.
        sns.stripplot(
            table, x="rows", y="accuracy", hue="rows", palette=colors, ax=axes,
            size=6, alpha=0.5, jitter=False,
        )  # fmt: skip
        for x, (name, values) in enumerate(groups.items()):
            summary = MeanStd(float(np.mean(values)), float(np.std(values)))
            _mark_mean(axes, x + 0.2, summary, colors[name])
        if reference:
            low, high = reference.mean - reference.std, reference.mean + reference.std
            # Only behind the test rows, on which the report measured it.
            axes.axhspan(low, high, xmin=0.28, color=GRAY, alpha=0.12, lw=0)
            _mark_mean(axes, len(groups), reference, TEXT_COLOR)
            labels = [*groups, "Reference report\n(5 folds, test rows)"]
            axes.set_xticks(range(len(labels)), labels)
        axes.set(xlabel="", ylabel="Accuracy", xlim=(-0.4, len(groups) - (0.2 - bool(reference))))
        axes.grid(visible=False, axis="x")
        format_percent_ticks(axes.yaxis)
        axes.set_title(
            f"{wrap(model)}, {len(held_out)} folds (diamond: mean ± standard deviation)", loc="left"
        )
    return figure


def plot_convergence(histories: Sequence[History], model: str) -> Figure:
    """Plot the loss of each fold over the epochs, with mean ± population standard deviation.

    After the first fold has stopped early, the mean is that of the folds that are still trained.
    Validation rows are those that select the epoch; held-out rows are not used.
    """
    table = pd.concat(
        [
            pd.DataFrame(list(history.rows)).assign(
                fold=number, epoch=np.arange(1, history.epochs + 1)
            )
            for number, history in enumerate(histories)
        ]
    )
    epochs = [history.epochs for history in histories]
    with plot_style():
        figure = Figure(figsize=(7, 4.4), layout="constrained")
        axes = figure.add_subplot()
        for metric, label, style, color in (
            (names.VAL_LOSS, "validation mean", "-", PALETTE[0]),
            (names.TRAIN_LOSS, "training mean", "--", PALETTE[1]),
        ):
            if metric not in table:
                continue
            common = {"data": table, "x": "epoch", "y": metric, "color": color, "ax": axes}
            sns.lineplot(
                **common, units="fold", estimator=None, linewidth=0.6, legend=False, zorder=1,
                alpha=0.5 if len(histories) <= _CLEAR_FOLDS else 0.15,
            )  # fmt: skip
            single = {"marker": "o", "err_style": "bars"} if max(epochs) == 1 else {}
            sns.lineplot(
                **common, errorbar=_mean_and_deviation, linestyle=style, label=label, **single
            )
        if min(epochs) < max(epochs):
            axes.axvline(min(epochs), color=GRAY, linestyle=":", label="first fold stopped early")
        set_epoch_axis(axes, max(epochs))
        axes.set_ylabel("Cross-entropy loss (nats)")
        handles, labels = axes.get_legend_handles_labels()
        axes.legend_ = None  # seaborn's, which can cover a line
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        axes.set_title(
            f"{wrap(model)}, {len(histories)} folds (band: ± standard deviation)", loc="left"
        )
    return figure


def plot_label_issues(issues: pd.DataFrame, images: npt.NDArray[np.uint8], model: str) -> Figure:
    """Show the first label issues with given label, suggested label and self-confidence.

    Args:
        issues: see `fmnist.crossval.label_issues.find_label_issues`.
        images: (n, 28, 28) uint8, the images of the training file.
    """
    shown = issues.head(_ISSUES_SHOWN)
    if shown.empty:
        title = f"No label issues: {wrap(model)} predicts all labels"
        return plot_image_grid(images[:0], [], title)
    captions = []
    for issue in shown.to_dict("records"):
        suggested = format_percent(issue["probability"], 1)
        agreeing = f", {issue['agreement'] * issue['repeats']:.0f} of {issue['repeats']}"
        captions.append(
            f"{wrap(issue['name'], _NAME_WIDTH, 1)}: {100 * issue['self_confidence']:.2g} %\n"
            f"→ {wrap(issue['predicted_name'], _NAME_WIDTH, 1)}: {suggested}\n"
            f"row {issue['index']}{agreeing if issue['repeats'] > 1 else ''}"
        )
    repeats = ", number of repeats that predict another label" if issue["repeats"] > 1 else ""
    title = (
        f"Label issues: the {len(shown)} labels that {wrap(model)} considers least probable\n"
        "given label: its probability (self-confidence) → suggested label: its probability\n"
        f"row of the training file{repeats}"
    )
    return plot_image_grid(images[shown["index"]], captions, title)


def _mean_and_deviation(values: "pd.Series[float]") -> tuple[float, float]:
    mean, std = values.mean(), values.std(ddof=0)
    return mean - std, mean + std


def _mark_mean(axes: Axes, x: float, summary: MeanStd, color: str) -> None:
    axes.errorbar([x], [summary.mean], yerr=[summary.std], fmt="D", color=color, capsize=4)
    axes.annotate(
        format_mean_std(*summary), (x, summary.mean), (8, 0), textcoords="offset points",
        fontsize=8, va="center", color=color,
    )  # fmt: skip
