"""How well models know each class."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fmnist.evaluation.metrics import ClassScore
from fmnist.plots.style import line_style, plot_style, wrap

_MODELS_A_ROW = 2


def f1(scores: Mapping[str, Sequence[ClassScore]], class_names: Sequence[str]) -> Figure:
    """F1 of each class, one marker a model, the class that is hardest on average at the top.

    Args:
        scores: one score a class in label order, by the model's name, in the order to draw them.
        class_names: the 10 names in label order.
    """
    values = np.array([[score.f1 for score in rows] for rows in scores.values()])
    order = np.argsort(values.mean(axis=0), kind="stable")
    # Each model has a line of its own within a class's band, so that equal scores all show.
    lanes = (np.arange(len(values)) - (len(values) - 1) / 2) * min(0.2, 0.8 / len(values))
    with plot_style():
        band = max(0.4, 0.09 * len(values))
        head = 0.4 * -(-len(values) // _MODELS_A_ROW)
        figure = Figure(figsize=(8, 1 + head + band * len(class_names)), layout="constrained")
        axes = figure.add_subplot(xlabel="F1")
        for place in range(0, len(class_names), 2):
            axes.axhspan(place - 0.5, place + 0.5, color="#F3F3F3", linewidth=0, zorder=0)
        handles = []
        for index, (name, row) in enumerate(zip(scores, values, strict=True)):
            drawn = line_style(index) | {"linestyle": "none", "markersize": 5.5}
            places = np.arange(len(class_names)) + lanes[index]
            axes.plot(row[order], places, label=name, clip_on=False, **drawn)
            handles.append(Line2D([], [], label=wrap(name, 38), **drawn))
        axes.set_yticks(range(len(class_names)), [wrap(class_names[label]) for label in order])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(class_names) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        columns = min(len(handles), _MODELS_A_ROW)
        figure.legend(handles=handles, loc="outside upper left", ncols=columns)
    return figure
