"""How the folds of a cross-validation spread, and how they got there."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fmnist import names
from fmnist.plots.style import GRAY, PALETTE, TEXT_COLOR, plot_style, wrap
from fmnist.results.training import History

# The report's five folds, each scored on the test images: mean and population standard deviation.
REPORT_MEAN: Final = 0.8771
REPORT_STD: Final = 0.0033

# Above this many folds a dot each is a blot.
_DOTS: Final = 100

# Between groups: so far apart that the numbers beside a group's mean end before the next box.
_STEP: Final = 1.35
_BOX: Final = 0.4


def accuracies(held_out: Sequence[float], test: Sequence[float], model: str) -> Figure:
    """The accuracy of every fold, on its held-out rows and on the test rows, beside the report's.

    A box spans the quartiles, a bar in it is the median, dots are folds, a diamond with whiskers
    is mean ± population standard deviation.

    Args:
        held_out: one accuracy a fold, on the rows its network has not seen.
        test: one a fold, on the test rows.
        model: the network's name.
    """
    with plot_style():
        figure = Figure(figsize=(7.6, 4.4), layout="constrained")
        axes = figure.add_subplot(ylabel="Accuracy")
        groups = {"Held-out rows": held_out, "Test rows": test}
        places = [_STEP * number for number in range(3)]
        for place, values, color in zip(places, groups.values(), PALETTE, strict=False):
            axes.boxplot(
                [values],
                positions=[place],
                widths=_BOX,
                showfliers=False,
                showcaps=False,
                boxprops={"color": color},
                whiskerprops={"color": color},
                medianprops={"color": color},
            )
            if len(values) <= _DOTS:
                spread = np.linspace(-0.3, 0.3, len(values)) * _BOX if len(values) > 1 else [0.0]
                axes.plot(place + np.asarray(spread), values, "o", color=color, alpha=0.7)
            _mean(axes, place + 0.75 * _BOX, float(np.mean(values)), float(np.std(values)), color)
        _mean(axes, places[-1], REPORT_MEAN, REPORT_STD, TEXT_COLOR)
        axes.axhspan(
            REPORT_MEAN - REPORT_STD, REPORT_MEAN + REPORT_STD, color=GRAY, alpha=0.12, lw=0
        )
        axes.set_xlim(-0.9 * _BOX, places[-1] + 0.8)
        axes.set_xticks(places, [*groups, "Report\n(5 folds, test rows)"])
        axes.grid(visible=False, axis="x")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.5g}%"))
        axes.set_title(
            f"{wrap(model)}, {len(held_out)} folds (diamond: mean ± standard deviation)",
            loc="left",
        )
    return figure


def convergence(histories: Sequence[History], model: str) -> Figure:
    """Loss over epochs: the folds' mean with a band of ± one population standard deviation.

    Thin lines are single folds. The validation rows are those the epoch was chosen by, a part of
    a fold's training rows.
    """
    with plot_style():
        figure = Figure(figsize=(7, 4.4), layout="constrained")
        axes = figure.add_subplot(xlabel="Epoch", ylabel="Cross-entropy loss (nats)")
        epochs = np.arange(1, histories[0].epochs + 1)
        for metric, meaning, style, color in (
            (names.VAL_LOSS, "validation", "-", PALETTE[0]),
            (names.TRAIN_LOSS, "training", "--", PALETTE[1]),
        ):
            if metric not in histories[0].metrics:
                continue
            values = np.array([history.column(metric) for history in histories])
            mean, std = values.mean(axis=0), values.std(axis=0)
            for fold in values:
                axes.plot(epochs, fold, color=color, linewidth=0.6, alpha=0.5)
            axes.fill_between(epochs, mean - std, mean + std, color=color, alpha=0.2, linewidth=0)
            marker = "o" if len(epochs) == 1 else ""
            axes.plot(epochs, mean, style, marker=marker, color=color, label=f"{meaning} mean")
        axes.xaxis.set_major_locator(
            MaxNLocator(12, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
        )
        axes.set_xlim(0.5, len(epochs) + 0.5)
        axes.legend()
        axes.set_title(
            f"{wrap(model)}, {len(histories)} folds (band: ± standard deviation)", loc="left"
        )
    return figure


def _mean(axes: Axes, place: float, mean: float, std: float, color: str) -> None:
    axes.errorbar([place], [mean], yerr=[std], fmt="D", color=color, capsize=4)
    axes.annotate(
        f"{100 * mean:.2f} ± {100 * std:.2f} %",
        (place, mean),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=color,
    )
