"""What a search tried and what it found: over time, option by option, all options at once."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from fmnist.plots.style import GRAY, PALETTE, TEXT_COLOR, plot_style

_COLUMNS: Final = 4
_MAP: Final = "viridis"


def history(numbers: Sequence[int], scores: Sequence[float], pruned: Sequence[bool]) -> Figure:
    """The score of each trial, and the best so far.

    Args:
        numbers: of the trials with a score.
        pruned: whether each was given up, with the score that it had then.
    """
    with plot_style():
        figure = Figure(figsize=(7.6, 4.2), layout="constrained")
        axes = figure.add_subplot(xlabel="Trial", ylabel="Validation accuracy")
        given_up = np.asarray(pruned, bool)
        x, y = np.asarray(numbers), np.asarray(scores)
        axes.plot(x[given_up], y[given_up], "x", color=GRAY, label="given up early, last value")
        axes.plot(x[~given_up], y[~given_up], "o", color=PALETTE[0], label="finished")
        if (~given_up).any():
            best = np.maximum.accumulate(np.where(given_up, -np.inf, y))
            shown = np.isfinite(best)
            axes.step(x[shown], best[shown], where="post", color=PALETTE[1], label="best so far")
            # Trials that were bad from the start would press all others into a line.
            floor = np.quantile(y, 0.1) if len(y) > 10 else y.min()
            axes.set_ylim(bottom=floor - 0.1 * (y.max() - floor) - 1e-4)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
        _percent(axes)
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.12), ncols=3)
        below = int((y < axes.get_ylim()[0]).sum())
        outside = f" ({below} below the frame)" if below else ""
        axes.set_title(
            f"{len(x)} trials, {int(given_up.sum())} of them given up{outside}", loc="left"
        )
    return figure


def importance(shares: Mapping[str, float]) -> Figure:
    """How much of the variance of the scores each option explains."""
    with plot_style():
        figure = Figure(figsize=(7.2, 0.8 + 0.34 * max(len(shares), 3)), layout="constrained")
        axes = figure.add_subplot(xlabel="Share of the variance of validation accuracy")
        ordered = sorted(shares.items(), key=lambda pair: pair[1])
        places = range(len(ordered))
        axes.barh(places, [share for _, share in ordered], color=PALETTE[0], height=0.6)
        axes.set_yticks(places, [name for name, _ in ordered])
        for place, (_, share) in zip(places, ordered, strict=True):
            axes.annotate(
                f"{100 * share:.0f} %",
                (share, place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
        axes.margins(x=0.08)
        axes.set_title("What the score depends on (functional ANOVA)", loc="left")
    return figure


def slices(tried: pd.DataFrame, score: str, log: Sequence[str]) -> Figure:
    """The score over each option, one small plot an option; later trials are darker.

    Args:
        tried: one line a finished trial, in order: the score, and a column for each option.
        log: the options with a logarithmic axis.
    """
    names = [name for name in tried.columns if name != score]
    rows = max(1, math.ceil(len(names) / _COLUMNS))
    with plot_style():
        figure = Figure(figsize=(10, 0.5 + 2.3 * rows), layout="constrained")
        shared: Axes | None = None
        for place, name in enumerate(names, start=1):
            axes = figure.add_subplot(rows, _COLUMNS, place, xlabel=name, sharey=shared)
            shared = shared or axes
            known = tried[tried[name].notna()]
            x = _places(axes, known[name], name in log)
            order = np.linspace(0.25, 1, len(known))
            axes.scatter(x, known[score], c=order, cmap="Blues", vmin=0, vmax=1, s=18)
            _percent(axes)
            axes.yaxis.set_major_locator(MaxNLocator(5))
            if (place - 1) % _COLUMNS:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel("Validation accuracy")
        figure.suptitle(
            f"{len(tried)} finished trials by option (darker: later)",
            x=0.01,
            ha="left",
            fontsize=11,
        )
    return figure


def parallel(tried: pd.DataFrame, score: str, log: Sequence[str]) -> Figure:
    """Each finished trial as a line through its options; the better, the brighter and the later.

    Args:
        tried: see `slices`.
    """
    names = [name for name in tried.columns if name != score]
    with plot_style():
        figure = Figure(figsize=(max(7.6, 1.0 + 1.05 * len(names)), 4.8), layout="constrained")
        axes = figure.add_subplot()
        heights = {name: _height(tried[name], name in log) for name in names}
        values = tried[score].to_numpy(float)
        spread = Normalize(np.quantile(values, 0.1) if len(values) > 4 else None, values.max())
        spread.autoscale_None(values)
        lines = ScalarMappable(spread, _MAP)
        for row in np.argsort(values):
            y = [heights[name][0][row] for name in names]
            axes.plot(range(len(names)), y, color=lines.to_rgba(values[row]), alpha=0.8, lw=1.3)
        for place, name in enumerate(names):
            axes.axvline(place, color=GRAY, lw=0.6)
            for height, text in heights[name][1]:
                axes.annotate(
                    text,
                    (place, height),
                    xytext=(3, 0),
                    textcoords="offset points",
                    fontsize=7,
                    va="center",
                    color=TEXT_COLOR,
                    bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.7},
                )
        axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
        axes.set_yticks([])
        axes.set_xlim(-0.2, len(names) - 0.2)
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        bar = figure.colorbar(lines, ax=axes, label="Validation accuracy", extend="min")
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.1f} %"))
        axes.set_title(f"{len(tried)} finished trials", loc="left")
    return figure


def _places(axes: Axes, values: "pd.Series[Any]", log: bool) -> "np.ndarray[Any, Any]":
    """Where the values are on the axis: numbers of a range as they are, choices side by side."""
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        return values.to_numpy(float)
    options = _in_order(values)
    axes.set_xticks(range(len(options)), [f"{option}" for option in options])
    axes.set_xlim(-0.6, len(options) - 0.4)
    axes.grid(visible=False, axis="x")
    return np.asarray([options.index(value) for value in values], float)


def _height(
    values: "pd.Series[Any]", log: bool
) -> "tuple[np.ndarray[Any, Any], list[tuple[float, str]]]":
    """Of each trial's value its place between 0 and 1 (NaN for none), and what stands beside."""
    if log:
        x = np.log(values.to_numpy(float))
        low, high = np.nanmin(x), np.nanmax(x)
        marks = [(0.0, f"{math.exp(low):.2g}"), (1.0, f"{math.exp(high):.2g}")]
        return (x - low) / ((high - low) or 1), marks
    options = _in_order(values[values.notna()])
    step = 1 / max(len(options) - 1, 1)
    places = [options.index(v) * step if pd.notna(v) else math.nan for v in values]
    return np.asarray(places), [(n * step, f"{option}") for n, option in enumerate(options)]


def _in_order(values: "pd.Series[Any]") -> list[Any]:
    return sorted(values.unique().tolist(), key=lambda value: (isinstance(value, str), value))


def _percent(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
