"""The figures show the numbers of the comparison. Nothing is clipped, with two models and many."""

import io
from collections.abc import Callable
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from fmnist import names
from fmnist.comparison import plots, plots_cost
from fmnist.comparison.report import FILES
from fmnist.comparison.results import Comparison
from fmnist.options import Train
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
        assert min(matplotlib.image.imread(io.BytesIO(content)).shape[:2]) >= 150
    assert plots.render_figures(compare_four(), IMAGES) == files
    assert names.FIGURE_DISAGREEMENTS not in plots.render_figures(compare_four(), None)


def test_no_figure_is_clipped(comparison: Comparison, fits_canvas: IsWhole) -> None:
    images = IMAGES[comparison.rows]
    assert fits_canvas(plots.plot_test_accuracy(comparison.models))
    assert fits_canvas(plots_cost.plot_accuracy_vs_cost(comparison.models))
    assert fits_canvas(plots.plot_disagreements(images, comparison.finalists, CLASS_NAMES))


def test_the_chart_of_test_accuracies() -> None:
    models = compare_four().models
    [axes] = plots.plot_test_accuracy(models).axes
    for model, bar in zip(models, axes.containers, strict=True):
        line, caps, _ = bar.lines
        assert line.get_xdata()[0] == model.accuracy.mean
        assert [cap.get_xdata()[0] for cap in caps] == pytest.approx(
            [model.accuracy.low, model.accuracy.high]
        )
    seeds = [line.get_xdata().tolist() for line in axes.lines if line.get_label() == "_seeds"]
    assert seeds == [model.correct.mean(axis=1).tolist() for model in models]
    assert axes.get_yticklabels()[0].get_text() == models[0].label


def plot_epochs(comparison: Comparison) -> Figure:
    return plots.plot_epochs(comparison.models, names.TRAIN_LOSS, names.VAL_LOSS, "Loss")


def test_epochs_are_means_with_a_band_from_the_lowest_to_the_highest_seed() -> None:
    pasts = [fit(4, seed) for seed in range(3)]
    runs = [run(Train(seed=seed), past=past) for seed, past in enumerate(pasts)]
    training, validation = plot_epochs(compare(*runs, run(Train(dropout=0.4)))).axes
    for axes, metric in ((training, names.TRAIN_LOSS), (validation, names.VAL_LOSS)):
        values = np.array([past.column(metric) for past in pasts])
        lines = [line.get_ydata() for line in axes.lines]
        assert any(len(line) == 4 and np.allclose(line, values.mean(axis=0)) for line in lines)
        corners = axes.collections[0].get_paths()[0].vertices[:, 1]
        assert (corners.min(), corners.max()) == pytest.approx((values.min(), values.max()))


def test_histories_of_unequal_length_of_one_epoch_and_without_validation(
    fits_canvas: IsWhole,
) -> None:
    pasts = (fit(1), fit(1, validated=False), fit(4, validated=False), fit(5))
    assert fits_canvas(
        plot_epochs(compare(*(run(Train(dropout=n / 10), past=p) for n, p in enumerate(pasts))))
    )
    none = compare(*(run(Train(dropout=n / 10), past=pasts[1]) for n in range(2)))
    assert not plot_epochs(none).axes[1].lines


def test_accuracies_and_costs_with_intervals(comparison: Comparison) -> None:
    models = comparison.models
    panels = plots_cost.plot_accuracy_vs_cost(models).axes
    for model in models:
        costs = model.metric(names.PARAMETERS_TOTAL), model.training_seconds
        for panel, cost in zip(panels, costs, strict=True):
            bars = {bar.get_label(): bar for bar in panel.containers}
            line, caps, _ = bars[model.label].lines
            # Models with equal costs are drawn at the same position.
            assert line.get_xydata().tolist() == [[cost, model.accuracy.mean]]
            assert [cap.get_ydata()[0] for cap in caps] == pytest.approx(
                [model.accuracy.low, model.accuracy.high]
            )
            assert panel.get_xscale() == "log"
            (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
            assert left < cost < right
            assert bottom < model.accuracy.mean < top


def test_models_without_a_logged_cost_are_omitted(fits_canvas: IsWhole) -> None:
    partly = compare(run(Train(), parameters_total=5), run(Train(dropout=0.1)))
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
def test_pareto_front(points: list[tuple[float, float]], front: list[int]) -> None:
    accuracies, costs = zip(*points, strict=True)
    assert plots_cost.find_pareto_front(accuracies, costs) == front


def test_disagreements_of_all_seeds_are_sorted_by_confidence(fits_canvas: IsWhole) -> None:
    first = predict((0, 0), (1, 1), (2, 7), (3, 3), (4, 5), (5, 5))
    other_seed = predict((0, 0), (1, 1), (2, 7), (3, 3), (4, 5), (5, 6))  # row 5 differs
    second = predict((0, 6), (1, 6), (2, 2), (3, 3), (4, 5), (5, 6))
    first.probabilities[0, :2] = 0.90, 0.02  # less confident than row 1
    lenet, vgg = compare(
        run(Train(), first), run(Train(seed=1), other_seed), run(Train(model="vgg16"), second)
    ).models
    images = np.random.default_rng(0).integers(256, size=(6, 28, 28), dtype=np.uint8)
    figure = plots.plot_disagreements(images, (lenet, vgg), CLASS_NAMES)
    [axes] = figure.axes
    captions = [text.get_text().splitlines() for text in axes.texts]
    assert [caption[-1] for caption in captions] == ["row 1", "row 0", "row 2"]
    assert captions[0][0].endswith("class 1 91 %")
    assert captions[0][1].endswith("class 6 91 %")
    for tile, index in zip(axes.images, (1, 0, 2), strict=True):
        assert np.array_equal(np.asarray(tile.get_array()), images[index])
    first_line, second_line, _ = figure.get_suptitle().splitlines()
    assert "(2 images)" in first_line
    assert "(1 images)" in second_line
    limited = plots.plot_disagreements(images, (lenet, vgg), CLASS_NAMES, count=1)
    assert len(limited.axes[0].images) == 2

    same = plots.plot_disagreements(images, (lenet, replace(lenet)), CLASS_NAMES)
    assert fits_canvas(same)
    assert not same.axes
