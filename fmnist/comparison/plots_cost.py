"""What an accuracy costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from fmnist import names
from fmnist.comparison.results import ComparedModel
from fmnist.plots.style import GRAY, TEXT_COLOR, line_style, plot_style, wrap

_NAME_WIDTH: Final = 30
_NAME_SIZE: Final = 9
_LINE: Final = 1.35  # heights of a line of names, the space above it included

_FRONT: Final = "Pareto front, larger markers: no other is more accurate without costing more"

# Costs within this factor are drawn side by side, this many points apart: models that differ by
# an option alone have equally many parameters, and would hide each other.
_BESIDE: Final = 1.1
_APART: Final = 9.0


@dataclass(frozen=True)
class Cost:
    """The place of a model on a cost axis: `spent`, and the part of it drawn hollow, if any."""

    index: int
    accuracy: float
    spent: float
    part: float | None


def accuracy_vs_cost(compared_models: Sequence[ComparedModel]) -> Figure:
    """Test accuracy with its 95 % interval against parameters and against seconds to train.

    A compared_model whose run has not logged a cost, or one of 0, which a logarithmic axis cannot
    show, is missing from that panel.
    """
    with plot_style():
        lines = sum(_lines(compared_model.label) for compared_model in compared_models)
        figure = Figure(figsize=(10, max(4.6, 1.9 + lines * 0.17)), layout="constrained")
        parameters, seconds, labels = figure.subplots(
            1, 3, sharey=True, width_ratios=[1, 1, 0.72], squeeze=False
        )[0]
        lowest, highest = min(c.low for c in compared_models), max(c.high for c in compared_models)
        spare = 0.08 * (highest - lowest)
        parameters.set_ylim(lowest - spare, highest + spare)
        _panel(figure, parameters, compared_models, _parameters(compared_models))
        parameters.set_xlabel("Parameters (hollow: those trained)")
        parameters.set_ylabel("Test accuracy")
        parameters.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.5g}%"))
        _panel(figure, seconds, compared_models, _seconds(compared_models))
        seconds.set_xlabel("Seconds to train, features included")
        labels.set_axis_off()
        figure.legend(
            handles=[
                Line2D([], [], color=GRAY, linestyle=":", linewidth=2, label=_FRONT),
                Line2D([], [], color=GRAY, marker="|", markersize=11, linestyle="none",
                       label="95 % interval"),
            ],
            loc="outside lower left",
            ncols=2,
        )  # fmt: skip
        figure.draw_without_rendering()
        _name(figure, labels, compared_models)
    return figure


def front(costs: Sequence[Cost]) -> list[Cost]:
    """Those that no other beats in accuracy or cost without losing in the other, cheapest first."""
    return sorted(
        (one for one in costs if not any(_beats(other, one) for other in costs)),
        key=lambda cost: (cost.spent, cost.index),
    )


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Centers for boxes of these sizes, as near as they come to those wanted, none overlapping.

    Args:
        wanted: in falling order, which is kept.
        low, high: what the boxes must lie within; they are cramped where it is too small.
    """
    from scipy.optimize import isotonic_regression  # takes long to import

    heights = np.asarray(sizes)
    scale = min(1.0, (high - low) / heights.sum())
    # Of boxes that touch, the first at 0, the centers lie at `offsets` below it.
    offsets = scale * (np.cumsum(heights) - (heights + heights[0]) / 2)
    slack = np.asarray(isotonic_regression(np.asarray(wanted) + offsets, increasing=False).x)
    top = high - scale * heights[0] / 2
    bottom = low + scale * heights[-1] / 2 + offsets[-1]
    return [float(center) for center in np.clip(slack, bottom, max(bottom, top)) - offsets]


def _beats(one: Cost, other: Cost) -> bool:
    no_worse = one.accuracy >= other.accuracy and one.spent <= other.spent
    return no_worse and (one.accuracy > other.accuracy or one.spent < other.spent)


def _parameters(compared_models: Sequence[ComparedModel]) -> list[Cost]:
    found = [compared_model.run.metrics for compared_model in compared_models]
    return [
        Cost(index, compared_models[index].accuracy, total, metrics.get(names.PARAMETERS_TRAINABLE))
        for index, metrics in enumerate(found)
        if (total := metrics.get(names.PARAMETERS_TOTAL))
    ]


def _seconds(compared_models: Sequence[ComparedModel]) -> list[Cost]:
    return [
        Cost(index, compared_model.accuracy, seconds, None)
        for index, compared_model in enumerate(compared_models)
        if (seconds := compared_model.training_seconds)
    ]


def _panel(
    figure: Figure, axes: Axes, compared_models: Sequence[ComparedModel], costs: Sequence[Cost]
) -> None:
    axes.set_xscale("log")
    best = front(costs)
    axes.step(
        [cost.spent for cost in best],
        [cost.accuracy for cost in best],
        where="post", color=GRAY, linestyle=":", linewidth=2, zorder=1, label="front",
    )  # fmt: skip
    for cost, shift in zip(costs, _shifts(costs), strict=True):
        compared_model, drawn = compared_models[cost.index], line_style(cost.index)
        drawn["transform"] = axes.transData + ScaledTranslation(
            shift / 72, 0, figure.dpi_scale_trans
        )
        # Shifted artists do not widen the axes of themselves.
        axes.update_datalim(
            [(cost.spent, compared_model.low), (cost.part or cost.spent, compared_model.high)]
        )
        if cost.part and cost.part < cost.spent:
            axes.plot(
                [cost.part, cost.spent], [cost.accuracy] * 2, linewidth=0.8, **drawn,
                markevery=[0], markerfacecolor="white", label=f"{compared_model.label} part",
            )  # fmt: skip
        axes.errorbar(
            [cost.spent],
            [cost.accuracy],
            # Rounding may put an accuracy of 0 or 1 a hair outside its interval.
            yerr=[
                [max(cost.accuracy - compared_model.low, 0.0)],
                [max(compared_model.high - cost.accuracy, 0.0)],
            ],
            linestyle="none", capsize=2, elinewidth=1, label=compared_model.label,
            markersize=9 if cost in best else 6, **drawn,
        )  # fmt: skip
    axes.margins(x=0.12)
    low, high = axes.get_xlim()
    narrow = high / low < 100
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,), numticks=7))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _shifts(costs: Sequence[Cost]) -> list[float]:
    """Points to the right by which each is drawn, so that equal costs do not hide each other."""
    shifts = [0.0] * len(costs)
    waiting = sorted(range(len(costs)), key=lambda place: costs[place].spent)
    while waiting:
        limit = costs[waiting[0]].spent * _BESIDE
        group = [place for place in waiting if costs[place].spent <= limit]
        for rank, place in enumerate(sorted(group)):
            shifts[place] = _APART * (rank - (len(group) - 1) / 2)
        waiting = waiting[len(group) :]
    return shifts


def _name(figure: Figure, axes: Axes, compared_models: Sequence[ComparedModel]) -> None:
    """The labels in a column at the height of their accuracies, or beside it where it is taken."""
    box = axes.get_window_extent()
    line = _NAME_SIZE * _LINE * figure.dpi / 72 / box.height
    heights = [
        float(axes.transAxes.inverted().transform(axes.transData.transform((0, c.accuracy)))[1])
        for c in compared_models
    ]
    sizes = [line * (_lines(compared_model.label) + 0.25) for compared_model in compared_models]
    centers = spread(heights, sizes, 0.0, 1.0)
    for index, (compared_model, height, center) in enumerate(
        zip(compared_models, heights, centers, strict=True)
    ):
        drawn = line_style(index)
        axes.plot(
            [-0.08, 0.02, 0.07], [height, center, center],
            color=drawn["color"], linewidth=0.8, transform=axes.transAxes, clip_on=False,
        )  # fmt: skip
        axes.plot([0.07], [center], transform=axes.transAxes, clip_on=False, markersize=6, **drawn)
        axes.text(
            0.11, center, wrap(compared_model.label, _NAME_WIDTH, 3),
            transform=axes.transAxes, va="center", fontsize=_NAME_SIZE, color=TEXT_COLOR,
        )  # fmt: skip


def _lines(label: str) -> int:
    return 1 + wrap(label, _NAME_WIDTH, 3).count("\n")


def _short(value: float) -> str:
    """Powers of ten as people say them: 10 k, 1 M."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
