"""Test accuracy against the size and the training time of models."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, StrMethodFormatter

from fmnist import names
from fmnist.comparison.models import ComparedModel
from fmnist.plots.style import (
    GRAY,
    add_model_legend,
    format_percent_ticks,
    line_style,
    plot_style,
)


def plot_accuracy_vs_cost(models: Sequence[ComparedModel]) -> Figure:
    """Mean test accuracy with its 95 % interval against parameters and against training time.

    A model without a logged cost, or with a cost of 0, is omitted from that panel.
    """
    with plot_style():
        figure = Figure(figsize=(10, 4.6 + 0.1 * len(models)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        _plot_panel(left, models, [model.metric(names.PARAMETERS_TOTAL) for model in models])
        _plot_panel(right, models, [model.training_seconds for model in models])
        left.set(xlabel="Parameters", ylabel="Test accuracy")
        format_percent_ticks(left.yaxis)
        left.xaxis.set_major_formatter(EngFormatter(sep=" "))
        right.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        right.set_xlabel("Training time in seconds, including features")
        add_model_legend(figure, [model.label for model in models], columns=3, linestyle="none")
        figure.legend(
            handles=[
                Line2D([], [], color=GRAY, linestyle=":", linewidth=2, label="Pareto front"),
                Line2D([], [], color=GRAY, marker="|", markersize=11, linestyle="none",
                       label="95 % interval"),
            ],
            loc="outside lower left",
            ncols=2,
        )  # fmt: skip
    return figure


def find_pareto_front(accuracies: Sequence[float], costs: Sequence[float]) -> list[int]:
    """Indices of the models that no other model dominates, cheapest first.

    A model dominates another if it is at least as good in both respects and better in one.
    """
    points = list(zip(accuracies, costs, strict=True))
    front = [
        index
        for index, (accuracy, cost) in enumerate(points)
        if not any(a >= accuracy and c <= cost and (a, c) != (accuracy, cost) for a, c in points)
    ]
    return sorted(front, key=lambda index: costs[index])


def _plot_panel(
    axes: Axes, models: Sequence[ComparedModel], all_costs: Sequence[float | None]
) -> None:
    axes.set_xscale("log")
    drawn = {index: cost for index, cost in enumerate(all_costs) if cost}
    if not drawn:
        axes.text(0.5, 0.5, "not logged", ha="center", transform=axes.transAxes)
        return
    costs = list(drawn.values())
    accuracies = [models[index].accuracy.mean for index in drawn]
    front = find_pareto_front(accuracies, costs)
    axes.step(
        [costs[i] for i in front], [accuracies[i] for i in front],
        where="post", color=GRAY, linestyle=":", linewidth=2, zorder=1, label="front",
    )  # fmt: skip
    for index, cost in drawn.items():
        accuracy = models[index].accuracy
        axes.errorbar(
            [cost], [accuracy.mean], yerr=accuracy.error_bar, linestyle="none", capsize=2,
            elinewidth=1, markersize=7, label=models[index].label, **line_style(index),
        )  # fmt: skip
    low, high = min(costs), max(costs)
    margin = max((high / low) ** 0.12, 1.5)
    axes.set_xlim(low / margin, high * margin)
    subs = (1, 2, 5) if high / low < 100 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=7))
    axes.xaxis.set_minor_formatter(NullFormatter())
