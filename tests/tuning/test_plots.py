"""The figures of a search show all of it, and every label is readable."""

import numpy as np
import pandas as pd
import pytest

from fmnist.tuning import plots
from fmnist.tuning.ablation import Effect
from fmnist.tuning.plots_ablation import effects


@pytest.fixture
def tried() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "trial_score": rng.uniform(0.88, 0.91, 15),
            "learning_rate": np.exp(rng.uniform(np.log(0.0003), np.log(0.02), 15)),
            "batch_size": rng.choice([32, 64, 128], 15),
            "flip": rng.choice(["off", "on"], 15),
            "weight_decay": [None if n % 5 == 0 else 0.01 for n in range(15)],
            "optimizer": ["adam" if n % 5 == 0 else "adamw" for n in range(15)],
        }
    )


def test_history_shows_the_best_so_far(is_whole) -> None:
    figure = plots.history([0, 1, 2, 4], [0.8, 0.7, 0.9, 0.85], [False, True, False, False])
    [axes] = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["given up early, last value"].get_ydata()) == [0.7]
    assert list(lines["best so far"].get_ydata()) == [0.8, 0.8, 0.9, 0.9]
    assert is_whole(figure)


def test_history_says_what_is_below_its_frame(is_whole) -> None:
    figure = plots.history(range(12), [0.1, *[0.9] * 10, 0.91], [True, *[False] * 11])
    assert figure.axes[0].get_title("left") == "12 trials, 1 of them given up (1 below the frame)"
    assert is_whole(figure)


def test_history_of_given_up_trials_alone(is_whole) -> None:
    assert is_whole(plots.history([0, 1], [0.4, 0.5], [True, True]))


def test_importance_has_the_largest_on_top(is_whole) -> None:
    figure = plots.importance({"a": 0.2, "b": 0.7, "c": 0.1})
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "a", "b"]
    assert is_whole(figure)


def test_slices_have_a_plot_an_option(tried: pd.DataFrame, is_whole) -> None:
    figure = plots.slices(tried, "trial_score", ["learning_rate"])
    assert [axes.get_xlabel() for axes in figure.axes] == list(tried.columns[1:])
    points = [axes.collections[0].get_offsets() for axes in figure.axes]
    assert [len(p) for p in points] == [15, 15, 15, 12, 15]
    assert np.allclose(np.asarray(points[0])[:, 0], tried["learning_rate"])
    assert is_whole(figure)
    texts = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert not any("$" in text for text in texts)


def test_parallel_has_a_line_a_trial(tried: pd.DataFrame, is_whole) -> None:
    figure = plots.parallel(tried, "trial_score", ["learning_rate"])
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 5]
    assert len(lines) == 15
    assert is_whole(figure)


def test_effects_have_the_largest_on_top(is_whole) -> None:
    found = [
        Effect("flip", "on", "off", [0.91, 0.92], [0.90, 0.90]),
        Effect("ema", "0.999", "0.0", [0.91, 0.92], [0.92, 0.91]),
        Effect("one", "1", "0", [0.91], [0.92]),
    ]
    figure = effects(found, "lenet5")
    [axes] = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()][-1] == "flip=on"
    assert is_whole(figure)
