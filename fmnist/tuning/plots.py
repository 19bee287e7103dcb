"""Figures of a search and of ablations.

`optuna.visualization.matplotlib` is not used: it changes pyplot's global style, and its labels
overlap for more than about six options.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fmnist.options.tune import SPACES, Float
from fmnist.plots.style import GRAY, PALETTE, plot_style, wrap
from fmnist.results.tuning import TrialResult
from fmnist.tuning.ablation import Effect

_COLUMNS: Final = 3
_PERCENT: Final = FuncFormatter(lambda fraction, _: f"{100 * fraction:.4g} %")


def plot_history(trials: Sequence[TrialResult]) -> Figure:
    """Plot the score of each trial and the best score so far; all trials need a score."""
    numbers = np.array([trial.number for trial in trials])
    scores = np.array([trial.score for trial in trials], float)
    pruned = np.array([trial.pruned for trial in trials])
    with plot_style():
        figure = Figure(figsize=(7.6, 4.2), layout="constrained")
        axes = figure.add_subplot(xlabel="Trial", ylabel="Validation accuracy")
        axes.plot(numbers[pruned], scores[pruned], "x", color=GRAY, label="pruned, last value")
        axes.plot(numbers[~pruned], scores[~pruned], "o", color=PALETTE[0], label="complete")
        if not pruned.all():
            best = np.maximum.accumulate(np.where(pruned, -np.inf, scores))
            best[np.isinf(best)] = np.nan
            axes.step(numbers, best, where="post", color=PALETTE[1], label="best so far")
            # Trials with very low scores would hide the differences between the others.
            low = np.quantile(scores, 0.1) if len(scores) > 10 else scores.min()
            axes.set_ylim(bottom=low - 0.1 * (scores.max() - low) - 1e-4)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
        axes.yaxis.set_major_formatter(_PERCENT)
        figure.legend(loc="outside lower center", ncols=3)
        below = int((scores < axes.get_ylim()[0]).sum())
        hidden = f" ({below} below the plotted range)" if below else ""
        axes.set_title(f"{len(trials)} trials, {pruned.sum()} pruned{hidden}", loc="left")
    return figure


def plot_importances(fractions: Mapping[str, float]) -> Figure:
    """Plot the fraction of the variance of the score that each option explains."""
    ordered = dict(sorted(fractions.items(), key=lambda item: -item[1]))
    with plot_style():
        figure = Figure(figsize=(7.2, 0.8 + 0.34 * max(len(ordered), 3)), layout="constrained")
        axes = figure.add_subplot()
        sns.barplot(
            x=list(ordered.values()), y=list(ordered), orient="h", color=PALETTE[0], ax=axes
        )
        for y, fraction in enumerate(ordered.values()):
            _annotate(axes, f"{100 * fraction:.0f} %", fraction, y)
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(_PERCENT)
        axes.margins(x=0.08)
        axes.set(xlabel="Fraction of the variance of the validation accuracy", ylabel="")
        axes.set_title("Importance of the options (functional ANOVA)", loc="left")
    return figure


def plot_slices(values: pd.DataFrame, scores: npt.NDArray[np.float64]) -> Figure:
    """Plot the score over each option; later trials are darker.

    Args:
        values: one row for each complete trial in order, one column for each option.
        scores: (n,), the score of each of these trials.
    """
    rows = math.ceil(len(values.columns) / _COLUMNS)
    colors = np.linspace(0.25, 1, len(values))
    with plot_style():
        figure = Figure(figsize=(9.6, 0.5 + 2.2 * rows), layout="constrained")
        grid = figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False).ravel()
        for axes, name in zip(grid, values.columns, strict=False):
            positions, ticks = _scale(name, values[name])
            axes.scatter(positions, scores, c=colors, cmap="Blues", vmin=0, vmax=1, s=18)
            axes.set_xticks(list(ticks.values()), list(ticks), fontsize=8)
            axes.set(xlim=(-0.1, 1.1), xlabel=name)
            axes.grid(visible=False, axis="x")
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.yaxis.set_major_formatter(_PERCENT)
        for axes in grid[len(values.columns) :]:
            axes.remove()
        figure.supylabel("Validation accuracy", fontsize=10)
        figure.suptitle(f"{len(values)} complete trials (darker: later)", x=0.01, ha="left")
    return figure


def plot_parallel_coordinates(values: pd.DataFrame, scores: npt.NDArray[np.float64]) -> Figure:
    """Plot each complete trial as a line through its options; brighter lines scored higher.

    Args:
        values, scores: see `plot_slices`.
    """
    columns = list(values.columns)
    with plot_style():
        figure = Figure(figsize=(max(7.6, 1.0 + 1.05 * len(columns)), 4.8), layout="constrained")
        axes = figure.add_subplot()
        low = np.quantile(scores, 0.1) if len(scores) > 4 else scores.min()
        colors = ScalarMappable(Normalize(low, scores.max()), "viridis")
        scales = [_scale(name, values[name]) for name in columns]
        heights = np.column_stack([positions for positions, _ in scales])
        for trial in np.argsort(scores):
            color = colors.to_rgba(scores[trial])
            axes.plot(range(len(columns)), heights[trial], color=color, alpha=0.8, lw=1.3)
        for x, (_, ticks) in enumerate(scales):
            axes.axvline(x, color=GRAY, lw=0.6)
            for label, height in ticks.items():
                _annotate(axes, label, x, height)
        axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
        axes.set_yticks([])
        axes.set_xlim(-0.2, len(columns) - 0.2)
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        bar = figure.colorbar(colors, ax=axes, label="Validation accuracy", extend="min")
        bar.ax.yaxis.set_major_formatter(_PERCENT)
        axes.set_title(f"{len(values)} complete trials", loc="left")
    return figure


def plot_effects(effects: Sequence[Effect], title: str) -> Figure:
    """Plot the mean effect of each technique with its 95 % interval; marks are single seeds."""
    ordered = sorted(effects, key=lambda effect: effect.mean)
    with plot_style():
        figure = Figure(figsize=(7.6, 1.3 + 0.42 * max(len(ordered), 2)), layout="constrained")
        axes = figure.add_subplot(xlabel="Difference in test accuracy, percentage points")
        axes.axvline(0, color=GRAY, lw=1)
        for y, effect in enumerate(ordered):
            points = 100 * np.array(effect.differences)
            axes.plot(points, [y] * len(points), "|", color=GRAY)
            if effect.interval:
                axes.plot(100 * np.array(effect.interval), [y, y], color=PALETTE[0], lw=2)
            axes.plot([100 * effect.mean], [y], "o", color=PALETTE[0], ms=6)
        labels = [f"{effect.technique}={effect.value}" for effect in ordered]
        axes.set_yticks(range(len(ordered)), labels)
        axes.set_ylim(-0.6, len(ordered) - 0.4)
        seeds = len(ordered[0].accuracies)
        axes.set_title(
            f"{wrap(title, 60)}: effect of each technique ({seeds} seeds, 95 % intervals)",
            loc="left",
        )
    return figure


def _annotate(axes: Axes, label: str, x: float, y: float) -> None:
    axes.annotate(
        label,
        (x, y),
        xytext=(3, 0),
        textcoords="offset points",
        fontsize=7,
        va="center",
        bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.7},
    )


def _scale(name: str, values: "pd.Series[Any]") -> tuple[npt.NDArray[np.float64], dict[str, float]]:
    """Return the position from 0 to 1 of each value (NaN if missing), and of the tick labels."""
    space, present = SPACES[name], set(values)
    if isinstance(space, Float):  # all are logarithmic
        low, high = math.log(space.low), math.log(space.high)
        ticks = [float(f"{tick:.1g}") for tick in np.geomspace(space.low, space.high, 4)]
        positions = {value: (math.log(value) - low) / (high - low) for value in (*values, *ticks)}
    else:
        ticks = [choice for choice in space.values if choice in present]  # noqa: PD011
        positions = {value: i / max(len(ticks) - 1, 1) for i, value in enumerate(ticks)}
    value_positions = np.array([positions.get(value, math.nan) for value in values])
    return value_positions, {f"{tick}": positions[tick] for tick in ticks}
