"""Figures of a search and of ablations: complete, with readable labels."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.text import Text

from fmnist.options.tune import SPACES, Float
from fmnist.results.tuning import TrialResult
from fmnist.tuning import plots
from fmnist.tuning.ablation import Effect

TRIALS = 40
COLUMNS = pytest.mark.parametrize(
    "columns", [list(SPACES), ["learning_rate"], ["flip", "weight_decay"]]
)


def trial(number: int, score: float, *, pruned: bool = False) -> TrialResult:
    return TrialResult(number, {}, score, pruned, "", None, 0.0, 1.0, "run")


@pytest.fixture
def values() -> pd.DataFrame:
    """All options that can be searched, with missing weight decay for Adam."""
    rng = np.random.default_rng(0)
    columns = {
        name: np.geomspace(space.low, space.high, TRIALS)
        if isinstance(space, Float)
        else rng.choice(np.array(space, dtype=object), TRIALS)
        for name, space in SPACES.items()
    }
    table = pd.DataFrame(columns)
    table["weight_decay"] = table["weight_decay"].where(table["optimizer"] != "adam", None)
    return table


@pytest.fixture
def scores() -> np.ndarray:
    return np.random.default_rng(1).uniform(0.88, 0.91, TRIALS)


def horizontal_labels(figure: Figure) -> list[Text]:
    figure.draw_without_rendering()
    texts = [text for axes in figure.axes for text in (*axes.get_xticklabels(), *axes.texts)]
    texts += [axes.xaxis.label for axes in figure.axes]
    return [text for text in texts if text.get_text() and not text.get_rotation()]


def test_history_shows_the_best_so_far(fits_canvas) -> None:
    trials = [trial(0, 0.8), trial(1, 0.7, pruned=True), trial(2, 0.9), trial(4, 0.85)]
    figure = plots.plot_history(trials)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert list(lines["pruned, last value"].get_ydata()) == [0.7]
    assert list(lines["best so far"].get_ydata()) == [0.8, 0.8, 0.9, 0.9]
    assert fits_canvas(figure)


def test_history_mentions_trials_below_the_plotted_range(fits_canvas) -> None:
    worst = trial(0, 0.1, pruned=True)
    title = (
        plots.plot_history([worst, *(trial(n, 0.9) for n in range(1, 12))])
        .axes[0]
        .get_title("left")
    )
    assert "12 trials, 1 pruned" in title
    assert "1 below" in title
    assert fits_canvas(plots.plot_history([worst, worst]))  # without a complete trial


def test_importances_have_the_largest_on_top(fits_canvas) -> None:
    figure = plots.plot_importances({"flip": 0.2, "dropout": 0.7, "ema": 0.1})
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["dropout", "flip", "ema"]
    assert axes.yaxis_inverted()
    assert fits_canvas(figure)


@COLUMNS
def test_slices_show_each_option(
    values, scores, columns: list[str], fits_canvas, overlapping
) -> None:
    figure = plots.plot_slices(values[columns], scores)
    assert [axes.get_xlabel() for axes in figure.axes] == columns
    for axes, name in zip(figure.axes, columns, strict=True):
        shown = np.isfinite(np.ma.filled(axes.collections[0].get_offsets(), np.nan)[:, 0]).sum()
        assert shown == values[name].notna().sum()
    assert fits_canvas(figure)
    assert overlapping(horizontal_labels(figure)) == []


@COLUMNS
def test_parallel_coordinates_have_a_line_for_each_trial(
    values, scores, columns: list[str], fits_canvas, overlapping
) -> None:
    figure = plots.plot_parallel_coordinates(values[columns], scores)
    lines = [line for line in figure.axes[0].lines if line.get_alpha() == 0.8]
    assert len(lines) == TRIALS
    assert figure.get_figwidth() < 10  # the text of wider figures is too small in the MLflow UI
    assert fits_canvas(figure)
    options = figure.axes[0].get_yticklabels()
    assert overlapping([*horizontal_labels(figure), *options]) == []


def test_effects_have_the_largest_on_top(fits_canvas) -> None:
    effects = [
        Effect("flip", "on", "off", [0.91, 0.92], [0.90, 0.90]),
        Effect("ema", "0.999", "0.0", [0.91, 0.92], [0.92, 0.91]),
        Effect("dropout", "0.1", "0.0", [0.91], [0.92]),
    ]
    figure = plots.plot_effects(effects, "lenet5")
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()][-1] == "flip=on"
    intervals = [line for line in axes.lines if "interval" in str(line.get_label())]
    assert len(intervals) == 2  # not of a single seed
    # The interval of flip is 1.5 ± 6.4 points wide: its arrows are at the limits of the axis.
    arrows = [(line.get_marker(), line.get_xdata()[0]) for line in axes.lines]
    assert [x for marker, x in arrows if marker in ("<", ">")][-2:] == list(axes.get_xlim())
    assert max(axes.get_xlim()) < 4
    assert fits_canvas(figure)
    assert pyplot.get_fignums() == []
