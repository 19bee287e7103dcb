"""The figures show the numbers of the comparison. Nothing is clipped, with two models and many."""

import io
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from fmnist import names
from fmnist.comparison import plots, plots_cost
from fmnist.comparison.report import FILES
from fmnist.comparison.results import Comparison
from fmnist.evaluation import metrics
from fmnist.options import Train
from fmnist.plots import confusion
from fmnist.results.training import CLASSES, Evaluation
from tests.helpers.comparisons import COSTS, compare, compare_four, compare_many, fit, run
from tests.helpers.logged_runs import CLASS_NAMES

IMAGES = np.zeros((400, 28, 28), np.uint8)
IsWhole = Callable[[Figure], bool]


@pytest.fixture(scope="module", params=["two", "four", "long labels"])
def comparison(request: pytest.FixtureRequest) -> Comparison:
    if request.param == "two":
        return compare(run(Train(), **COSTS), run(Train(dropout=0.4), **COSTS))
    if request.param == "four":
        return compare_four()
    return compare_many(12, long_labels=True)


def predict(*pairs: tuple[int, int]) -> Evaluation:
    """For each pair the true and the predicted class, with a probability of 0.91."""
    labels, predicted = np.array(pairs, np.int64).T
    probabilities = np.full((len(pairs), CLASSES), 0.01, np.float32)
    probabilities[np.arange(len(pairs)), predicted] = 0.91
    return Evaluation(labels, probabilities)


@pytest.mark.slow
def test_all_figures_are_rendered_reproducibly() -> None:
    expected = {name for name in FILES if name.startswith("figures/")}
    files = plots.render_figures(compare_four(), IMAGES)
    assert set(files) == expected
    for content in files.values():
        assert min(matplotlib.image.imread(io.BytesIO(content)).shape[:2]) > 300
    assert plots.render_figures(compare_four(), IMAGES) == files


def test_histories_of_unequal_length_of_one_epoch_and_without_validation() -> None:
    histories = (fit(1), fit(1, validated=False), fit(4, validated=False), fit(5))
    runs = [run(Train(seed=seed), past=past) for seed, past in enumerate(histories)]
    files = plots.render_figures(compare(*runs), None)
    assert names.FIGURE_CONVERGENCE in files
    assert names.FIGURE_DISAGREEMENTS not in files


def test_no_figure_is_clipped(comparison: Comparison, fits_canvas: IsWhole) -> None:
    first, second = comparison.models[:2]
    scores = {model.label: model.per_class for model in comparison.models}
    predictions = {model.label: model.run.test for model in comparison.models[:2]}
    rows = first.run.rows
    assert fits_canvas(plots_cost.plot_accuracy_vs_cost(comparison.models))
    assert fits_canvas(plots.plot_f1_by_class(scores, CLASS_NAMES))
    assert fits_canvas(plots.plot_disagreements(IMAGES[rows], rows, predictions, CLASS_NAMES))
    assert fits_canvas(
        confusion.plot_confusion_difference(
            first.run.test, second.run.test, (first.label, second.label), CLASS_NAMES
        )
    )


class TestCost:
    def test_points_are_accuracies_and_costs_with_intervals(self) -> None:
        models = compare_four().models
        parameters, seconds = plots_cost.plot_accuracy_vs_cost(models).axes
        lenet = models[0]
        for panel, cost in ((parameters, 44_426), (seconds, 23.456)):
            line, caps, _ = {bar.get_label(): bar for bar in panel.containers}[lenet.label].lines
            [[x, y]] = line.get_xydata()
            assert x == pytest.approx(cost, rel=0.15)  # moved aside, because two costs are equal
            assert y == lenet.accuracy
            assert [cap.get_ydata()[0] for cap in caps] == pytest.approx([lenet.low, lenet.high])
            assert panel.get_xscale() == "log"

    def test_everything_lies_within_the_axes(self, comparison: Comparison) -> None:
        for panel in plots_cost.plot_accuracy_vs_cost(comparison.models).axes:
            low, high = panel.get_xlim()
            bottom, top = panel.get_ylim()
            for bar in panel.containers:
                [[cost, accuracy]] = bar.lines[0].get_xydata()
                assert low < cost < high
                assert bottom < accuracy < top

    def test_equal_costs_are_drawn_side_by_side(self) -> None:
        models = compare(*(run(Train(seed=seed), **COSTS) for seed in range(4))).models
        figure = plots_cost.plot_accuracy_vs_cost(models)
        figure.draw_without_rendering()
        places = [
            bar.lines[0].get_transform().transform(bar.lines[0].get_xydata())[0][0]
            for bar in figure.axes[0].containers
        ]
        assert all(right - left > 5 for left, right in pairwise(places))

    def test_models_without_a_logged_cost_are_omitted(self, fits_canvas: IsWhole) -> None:
        partly = compare(run(Train(), parameters_total=5), run(Train(seed=1)))
        figure = plots_cost.plot_accuracy_vs_cost(partly.models)
        parameters, seconds = figure.axes
        assert [bar.get_label() for bar in parameters.containers] == ["lenet5"]
        assert not seconds.containers
        assert "not logged" in [text.get_text() for text in seconds.texts]
        assert fits_canvas(figure)

    @pytest.mark.parametrize(
        ("points", "front"),
        [
            ([(0.9, 10.0), (0.8, 5.0), (0.7, 7.0)], [1, 0]),
            ([(0.9, 1.0), (0.8, 5.0)], [0]),
            ([(0.9, 1.0), (0.9, 1.0)], [0, 1]),
            ([(0.9, 1.0), (0.9, 2.0)], [0]),
            ([(0.8, 1.0), (0.9, 1.0)], [1]),
        ],
    )
    def test_pareto_front(self, points: list[tuple[float, float]], front: list[int]) -> None:
        accuracies, costs = zip(*points, strict=True)
        assert plots_cost.find_pareto_front(accuracies, costs) == front


def test_f1_by_class_shows_every_model_and_class() -> None:
    models = compare_four().models
    scores = {model.label: model.per_class for model in models}
    [axes] = plots.plot_f1_by_class(scores, CLASS_NAMES).axes
    classes = [label.get_text() for label in axes.get_yticklabels()]
    for model, line in zip(models, axes.lines, strict=True):
        places = np.rint(line.get_ydata()).astype(int)
        plotted = {classes[place]: x for place, x in zip(places, line.get_xdata(), strict=True)}
        assert plotted == {CLASS_NAMES[score.label]: score.f1 for score in model.per_class}


def test_f1_by_class_has_the_hardest_class_at_the_top() -> None:
    rows = metrics.per_class(predict(*[(label, label) for label in range(9)], (9, 8)))
    figure = plots.plot_f1_by_class({"one": rows, "two": rows}, CLASS_NAMES)
    figure.draw_without_rendering()
    [axes] = figure.axes
    assert axes.get_yticklabels()[0].get_text() == "class 9"
    assert axes.yaxis_inverted()
    one, two = (np.asarray(line.get_ydata()) for line in axes.lines)
    pixels = axes.transData.transform([(0, 0), (0, 1)])[:, 1]
    assert ((two - one) * abs(np.diff(pixels)) > 8).all()  # equal scores do not overlap


def test_disagreements_are_sorted_by_confidence() -> None:
    first = predict((0, 0), (1, 1), (2, 7), (3, 3), (4, 5))
    second = predict((0, 6), (1, 6), (2, 2), (3, 3), (4, 5))
    first.probabilities[0, :2] = 0.90, 0.02  # less confident than row 1
    images = np.random.default_rng(0).integers(256, size=(5, 28, 28), dtype=np.uint8)
    rows = np.array([10, 20, 30, 40, 49])
    figure = plots.plot_disagreements(images, rows, {"one": first, "two": second}, CLASS_NAMES)

    tiles = [axes for axes in figure.axes if axes.images]
    titles = [tile.get_title().splitlines() for tile in tiles]
    assert [title[-1] for title in titles] == ["row 20", "row 10", "row 30"]
    assert titles[0][0].endswith("class 1 91%")
    assert titles[0][1].endswith("class 6 91%")
    for tile, index in zip(tiles, (1, 0, 2), strict=True):
        assert np.array_equal(np.asarray(tile.images[0].get_array()), images[index])
    heads = [part.get_suptitle().splitlines()[-1] for part in figure.subfigs]
    assert [head[:6] for head in heads] == ["2 of 2", "1 of 1"]

    limited = plots.plot_disagreements(
        images, rows, {"one": first, "two": second}, CLASS_NAMES, count=1
    )
    assert len([axes for axes in limited.axes if axes.images]) == 2


def test_models_without_disagreements(fits_canvas: IsWhole) -> None:
    same = predict((0, 0), (1, 1))
    figure = plots.plot_disagreements(
        IMAGES[:2], np.arange(2), {"one": same, "two": replace(same)}, CLASS_NAMES
    )
    assert fits_canvas(figure)
    assert not [axes for axes in figure.axes if axes.images]
