"""Figures of a cross-validation: the accuracy and the loss curves of its folds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from fmnist import names
from fmnist.plots.curves import set_epoch_axis
from fmnist.plots.formatting import format_mean_std
from fmnist.plots.style import GRAY, PALETTE, TEXT_COLOR, plot_style, wrap
from fmnist.results.training import History


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
        held_out: the accuracy of each fold on its held-out rows.
        test: the accuracy of each fold's model on the test rows.
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
            axes.axhspan(low, high, color=GRAY, alpha=0.12, lw=0)
            _mark_mean(axes, len(groups), reference, TEXT_COLOR)
            labels = [*groups, "Reference report\n(5 folds, test rows)"]
            axes.set_xticks(range(len(labels)), labels)
        axes.set(xlabel="", ylabel="Accuracy", xlim=(-0.4, len(groups) - (0.2 - bool(reference))))
        axes.grid(visible=False, axis="x")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.5g}%"))
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
                **common, units="fold", estimator=None, linewidth=0.6, alpha=0.5, legend=False
            )
            single = {"marker": "o", "err_style": "bars"} if max(epochs) == 1 else {}
            sns.lineplot(
                **common, errorbar=_mean_and_deviation, linestyle=style, label=label, **single
            )
        if min(epochs) < max(epochs):
            axes.axvline(min(epochs), color=GRAY, linestyle=":", label="first fold stopped early")
        set_epoch_axis(axes, max(epochs))
        axes.set_ylabel("Cross-entropy loss (nats)")
        axes.legend()
        axes.set_title(
            f"{wrap(model)}, {len(histories)} folds (band: ± standard deviation)", loc="left"
        )
    return figure


def _mean_and_deviation(values: "pd.Series[float]") -> tuple[float, float]:
    mean, std = values.mean(), values.std(ddof=0)
    return mean - std, mean + std


def _mark_mean(axes: Axes, x: float, summary: MeanStd, color: str) -> None:
    axes.errorbar([x], [summary.mean], yerr=[summary.std], fmt="D", color=color, capsize=4)
    axes.annotate(
        format_mean_std(*summary),
        (x, summary.mean),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=color,
    )
