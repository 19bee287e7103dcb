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
from matplotlib.ticker import MaxNLocator

from fmnist.options.tune import SPACES, Float
from fmnist.plots.formatting import format_percent
from fmnist.plots.style import (
    GRAY,
    PALETTE,
    TEXT_COLOR,
    format_percent_ticks,
    plot_style,
    wrap,
)
from fmnist.results.tuning import TrialResult
from fmnist.tuning.ablation import Effect

_COLUMNS: Final = 3


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
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
        figure.legend(loc="outside lower center", ncols=3)
        hidden = _set_score_range(axes, scores)
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
            axes.annotate(
                format_percent(fraction, 0), (fraction, y), (3, 0), textcoords="offset points",
                fontsize=8, va="center",
            )  # fmt: skip
        axes.grid(visible=False, axis="y")
        format_percent_ticks(axes.xaxis)
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
            hidden = _set_score_range(axes, scores)
        for axes in grid[len(values.columns) :]:
            axes.remove()
        figure.supylabel("Validation accuracy", fontsize=10)
        figure.suptitle(
            f"{len(values)} complete trials, later ones darker{hidden}", x=0.01, ha="left"
        )
    return figure


def plot_parallel_coordinates(values: pd.DataFrame, scores: npt.NDArray[np.float64]) -> Figure:
    """Plot each complete trial as a line through its options; brighter lines scored higher.

    The axes of the options are horizontal, so that the figure needs no more width for more options.

    Args:
        values, scores: see `plot_slices`.
    """
    columns = list(values.columns)
    with plot_style():
        figure = Figure(figsize=(8.4, 1.2 + 0.52 * max(len(columns), 4)), layout="constrained")
        axes = figure.add_subplot()
        low = np.quantile(scores, 0.1) if len(scores) > 4 else scores.min()
        colors = ScalarMappable(Normalize(low, scores.max()), "viridis")
        scales = [_scale(name, values[name]) for name in columns]
        positions = np.column_stack([each for each, _ in scales])
        for trial in np.argsort(scores):
            color = colors.to_rgba(scores[trial])
            axes.plot(positions[trial], range(len(columns)), color=color, alpha=0.8, lw=1.3)
        for y, (_, ticks) in enumerate(scales):
            axes.axhline(y, color=GRAY, lw=0.6)
            for label, x in ticks.items():
                axes.annotate(
                    label, (x, y), (0, 4), textcoords="offset points", ha="center", fontsize=8,
                    bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.7},
                )  # fmt: skip
        axes.set_yticks(range(len(columns)), columns)
        axes.set(xticks=[], xlim=(-0.06, 1.06), ylim=(len(columns) - 0.7, -0.7))
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(colors, ax=axes, label="Validation accuracy", extend="min", aspect=30)
        format_percent_ticks(bar.ax.yaxis)
        axes.set_title(f"{len(values)} complete trials (one line per trial)", loc="left")
    return figure


def plot_effects(effects: Sequence[Effect], title: str) -> Figure:
    """Plot the mean effect of each technique, its 95 % interval and the effect for each seed."""
    ordered = sorted(effects, key=lambda effect: effect.mean)
    with plot_style():
        figure = Figure(figsize=(7.6, 1.7 + 0.42 * max(len(ordered), 2)), layout="constrained")
        axes = figure.add_subplot(xlabel="Difference in test accuracy (percentage points)")
        axes.axvline(0, color=GRAY, lw=1)
        seeds = 100 * np.array([each for effect in ordered for each in effect.differences] + [0])
        # Intervals of two seeds can be a hundred times as wide as the effects: they are cut off.
        margin = 0.5 * np.ptp(seeds) + 0.01
        limits = seeds.min() - margin, seeds.max() + margin
        axes.set_xlim(limits)
        for y, effect in enumerate(ordered):
            points = 100 * np.array(effect.differences)
            axes.plot(points, [y] * len(points), "|", color=TEXT_COLOR, ms=9, label="one seed")
            if effect.interval:
                interval = 100 * np.array(effect.interval)
                ends = interval.clip(*limits)
                label = "95 % interval of the mean (arrow: continues)"
                axes.plot(ends, [y, y], color=PALETTE[0], lw=2, label=label)
                for end, whole, marker in zip(ends, interval, "<>", strict=True):
                    if end != whole:
                        axes.plot(end, y, marker, color=PALETTE[0], clip_on=False)
            axes.plot([100 * effect.mean], [y], "o", color=PALETTE[0], ms=6, label="mean")
        axes.set_yticks(range(len(ordered)), [f"{e.technique}={e.value}" for e in ordered])
        axes.set_ylim(-0.6, len(ordered) - 0.4)
        handles, labels = axes.get_legend_handles_labels()
        legend = dict(zip(labels, handles, strict=True))
        figure.legend(list(legend.values()), list(legend), loc="outside lower center", ncols=3)
        count = max(len(effect.accuracies) for effect in ordered)
        axes.set_title(
            f"{wrap(title, 60)}: effect of each technique ({count} seed{'s' * (count > 1)})",
            loc="left",
        )
    return figure


def _set_score_range(axes: Axes, scores: npt.NDArray[np.float64]) -> str:
    """Fit the axis to most scores; return a note about those below it, or an empty string."""
    # Trials with very low scores would hide the differences between the others.
    low = np.quantile(scores, 0.1) if len(scores) > 10 else scores.min()
    margin = 0.1 * (scores.max() - low) + 1e-4
    axes.set_ylim(low - margin, scores.max() + margin)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    format_percent_ticks(axes.yaxis)
    below = int((scores < low - margin).sum())
    return f" ({below} below the plotted range)" if below else ""


def _scale(name: str, values: "pd.Series[Any]") -> tuple[npt.NDArray[np.float64], dict[str, float]]:
    """Return the position from 0 to 1 of each value (NaN if missing), and of the tick labels."""
    space, present = SPACES[name], set(values)
    if isinstance(space, Float):
        low, high = math.log(space.low), math.log(space.high)
        ticks = [float(f"{tick:.1g}") for tick in np.geomspace(space.low, space.high, 4)]
        positions = {value: (math.log(value) - low) / (high - low) for value in (*values, *ticks)}
    else:
        ticks = [choice for choice in space if choice in present]
        positions = {value: i / max(len(ticks) - 1, 1) for i, value in enumerate(ticks)}
    value_positions = np.array([positions.get(value, math.nan) for value in values])
    return value_positions, {f"{tick}": positions[tick] for tick in ticks}
