"""The figures of a comparison show its numbers, whole, with two models and with ten."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from fmnist import names
from fmnist.comparison import plots_cost, plots_disagreements, plots_per_class
from fmnist.comparison.plots_cost import Cost
from fmnist.comparison.results import ComparedModel
from fmnist.evaluation import metrics
from fmnist.plots import confusion
from fmnist.results.training import CLASSES, Evaluation
from tests.helpers.sample_comparisons import CLASS_NAMES, FOUR, LENET, TEN, Made, compared

WHOLE = Callable[[Figure], bool]

ALIKE = tuple(
    replace(made, alike=0, accuracy=0.88, label=f"{made.label}, AND WORDS $THAT$ NEVER END " * 2)
    for made in TEN
)
MODELS = pytest.mark.parametrize(
    "models",
    [FOUR[:2], FOUR, TEN, ALIKE, (LENET, replace(LENET, label="the same again"))],
    ids=["two", "four", "ten", "alike", "equal"],
)


def compared_models(models: Sequence[Made]) -> tuple[ComparedModel, ...]:
    return compared(models).compared_models


def answers(*pairs: tuple[int, int]) -> Evaluation:
    """Of each pair the true class and the answer, given with a probability of 0.91."""
    labels, predicted = np.array(pairs, np.int64).T
    probabilities = np.full((len(pairs), CLASSES), 0.01, np.float32)
    probabilities[np.arange(len(pairs)), predicted] = 0.91
    return Evaluation(labels, probabilities)


class TestCost:
    @MODELS
    def test_labels_are_whole_and_apart(
        self,
        models: Sequence[Made],
        is_whole: WHOLE,
        overlapping: Callable[[list[Text]], list[tuple[str, str]]],
    ) -> None:
        figure = plots_cost.accuracy_vs_cost(compared_models(models))

        assert is_whole(figure)
        labels = figure.axes[2].texts
        assert len(labels) == len(models)
        assert not overlapping(labels)
        canvas = figure.bbox
        for label in labels:
            box = label.get_window_extent()
            assert box.y0 >= canvas.y0
            assert box.y1 <= canvas.y1

    def test_points_are_accuracies_and_costs_with_their_intervals(self) -> None:
        models = compared_models(FOUR)
        parameters, seconds, _ = plots_cost.accuracy_vs_cost(models).axes

        for panel, wanted in ((parameters, 14_848_586), (seconds, 12.3 + 482.0)):
            drawn = {bar.get_label(): bar for bar in panel.containers}
            vgg = models[2]
            line, caps, _ = drawn[vgg.label].lines
            assert np.allclose(line.get_xydata(), [[wanted, vgg.accuracy]])
            assert [cap.get_ydata()[0] for cap in caps] == pytest.approx([vgg.low, vgg.high])
            assert panel.get_xscale() == "log"
        part = next(line for line in parameters.lines if line.get_label() == f"{vgg.label} part")
        assert part.get_xdata()[0] == 133_898

    def test_everything_drawn_lies_within_the_axes(self) -> None:
        models = compared_models(TEN)
        for panel in plots_cost.accuracy_vs_cost(models).axes[:2]:
            low, high = panel.get_xlim()
            bottom, top = panel.get_ylim()
            for bar in panel.containers:
                [[spent, accuracy]] = bar.lines[0].get_xydata()
                assert low < spent < high
                assert bottom < accuracy < top

    def test_a_cost_that_was_not_logged_is_left_out(self) -> None:
        models = [replace(LENET, without=(names.FIT_SECONDS,)), FOUR[2]]
        parameters, seconds, _ = plots_cost.accuracy_vs_cost(compared_models(models)).axes

        assert [bar.get_label() for bar in parameters.containers] == ["lenet5", FOUR[2].label]
        assert [bar.get_label() for bar in seconds.containers] == [FOUR[2].label]

    def test_no_cost_at_all_is_an_empty_panel(self, is_whole: WHOLE) -> None:
        none = (names.FIT_SECONDS, names.PARAMETERS_TOTAL)
        figure = plots_cost.accuracy_vs_cost(
            compared_models([replace(made, without=none) for made in FOUR])
        )

        assert is_whole(figure)
        assert not figure.axes[0].containers

    def test_equal_costs_do_not_hide_each_other(self) -> None:
        models = compared_models((LENET, replace(LENET, label="the same again")))
        figure = plots_cost.accuracy_vs_cost(models)
        figure.draw_without_rendering()

        one, other = (
            bar.lines[0].get_transform().transform(bar.lines[0].get_xydata())[0]
            for bar in figure.axes[0].containers
        )
        assert other[0] - one[0] == pytest.approx(9 / 72 * figure.dpi)

    @pytest.mark.parametrize(
        ("points", "front"),
        [
            ([(0.9, 10.0), (0.8, 5.0), (0.7, 7.0)], [1, 0]),
            ([(0.9, 1.0), (0.8, 5.0)], [0]),
            ([(0.9, 1.0), (0.9, 1.0)], [0, 1]),
            ([(0.9, 1.0), (0.9, 2.0)], [0]),
            ([(0.8, 1.0), (0.9, 1.0)], [1]),
            ([], []),
        ],
    )
    def test_the_front_is_what_no_other_beats(
        self, points: list[tuple[float, float]], front: list[int]
    ) -> None:
        costs = [Cost(i, accuracy, spent, None) for i, (accuracy, spent) in enumerate(points)]

        assert [one.index for one in plots_cost.front(costs)] == front

    @pytest.mark.parametrize(
        ("wanted", "sizes", "placed"),
        [
            ([0.8, 0.2], [0.1, 0.1], [0.8, 0.2]),
            ([0.5, 0.5], [0.2, 0.2], [0.6, 0.4]),
            ([1.0, 0.9], [0.2, 0.2], [0.9, 0.7]),
            ([0.0, 0.0], [0.2, 0.4], [0.5, 0.2]),
            ([0.5, 0.5], [1.0, 1.0], [0.75, 0.25]),
        ],
        ids=["apart", "spread", "below the top", "above the bottom", "cramped"],
    )
    def test_boxes_are_spread(
        self, wanted: list[float], sizes: list[float], placed: list[float]
    ) -> None:
        assert plots_cost.spread(wanted, sizes, 0.0, 1.0) == pytest.approx(placed)


class TestConfusionDifference:
    def test_cells_are_differences_and_the_title_says_whose(self) -> None:
        first, second = answers((0, 0), (0, 0), (1, 2)), answers((0, 0), (0, 3), (1, 2))
        figure = confusion.confusion_difference(first, second, ("ours", "theirs"), CLASS_NAMES)

        axes = figure.axes[0]
        told = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
        assert {cell: text for cell, text in told.items() if text} == {
            (0, 0): "+1",
            (0, 3): "\N{MINUS SIGN}1",
        }
        blue, red = figure.get_suptitle().splitlines()
        assert "Blue" in blue
        assert "ours" in blue
        assert "Red" in red
        assert "theirs" in red
        [image] = axes.images
        assert image.get_clim() == (-1, 1)
        red_part, _, blue_part, _ = image.to_rgba(1)
        assert blue_part > red_part
        assert [label.get_text() for label in axes.get_yticklabels()] == list(CLASS_NAMES)

    @MODELS
    def test_it_is_whole(self, models: Sequence[Made], is_whole: WHOLE) -> None:
        first, second = compared_models(models)[:2]

        assert is_whole(
            confusion.confusion_difference(
                first.run.test, second.run.test, (first.label, second.label), CLASS_NAMES
            )
        )


class TestPerClass:
    @MODELS
    def test_every_model_has_its_f1_of_every_class(
        self, models: Sequence[Made], is_whole: WHOLE
    ) -> None:
        found = compared_models(models)
        figure = plots_per_class.f1({c.label: c.per_class for c in found}, CLASS_NAMES)

        assert is_whole(figure)
        [axes] = figure.axes
        classes = [label.get_text() for label in axes.get_yticklabels()]
        drawn = {line.get_label(): line for line in axes.lines}
        for compared_model in found:
            line = drawn[compared_model.label]
            places = np.rint(line.get_ydata()).astype(int)
            shown = dict(zip([classes[p] for p in places], line.get_xdata(), strict=True))
            assert shown == {CLASS_NAMES[s.label]: s.f1 for s in compared_model.per_class}

    def test_the_hardest_class_is_at_the_top_and_equal_scores_all_show(self) -> None:
        rows = metrics.per_class(answers(*[(c, c) for c in range(9)], (9, 8)))
        figure = plots_per_class.f1({"one": rows, "two": rows}, CLASS_NAMES)
        figure.draw_without_rendering()

        [axes] = figure.axes
        assert axes.get_yticklabels()[0].get_text() == "Ankle boot"
        assert axes.yaxis_inverted()
        one, two = (line.get_ydata() for line in axes.lines)
        pixels = axes.transData.transform([(0, 0), (0, 1)])[:, 1]
        assert ((two - one) * abs(np.diff(pixels)) / figure.dpi * 72 > 5).all()


class TestDisagreements:
    def test_tiles_are_what_one_alone_knows_the_surest_first(self) -> None:
        first = answers((0, 0), (1, 1), (2, 7), (3, 3), (4, 5))
        second = answers((0, 6), (1, 6), (2, 2), (3, 3), (4, 5))
        first.probabilities[0, :2] = 0.90, 0.02  # a little less sure than row 1
        images = np.random.default_rng(0).integers(256, size=(50, 28, 28), dtype=np.uint8)
        rows = np.array([10, 20, 30, 40, 49])

        figure = plots_disagreements.disagreements(
            images, rows, [("one", first), ("other", second)], CLASS_NAMES
        )

        tiles = [axes for axes in figure.axes if axes.images]
        assert [tile.get_title() for tile in tiles] == [
            "✓ Trouser 91%\n\N{MULTIPLICATION SIGN} Shirt 91%\nrow 20",
            "✓ T-shirt/top 90%\n\N{MULTIPLICATION SIGN} Shirt 91%\nrow 10",
            "✓ Pullover 91%\n\N{MULTIPLICATION SIGN} Sneaker 91%\nrow 30",
        ]
        for tile, row in zip(tiles, (20, 10, 30), strict=True):
            assert np.array_equal(np.asarray(tile.images[0].get_array()), images[row])
        heads = [part.get_suptitle().splitlines() for part in figure.subfigs]
        assert [[line.split(": ")[-1] for line in head] for head in heads] == [
            ["one", "other", "2 of 2 such images"],
            ["other", "one", "1 of 1 such images"],
        ]

    @MODELS
    def test_it_is_whole(self, models: Sequence[Made], is_whole: WHOLE) -> None:
        pair = compared_models(models)[:2]
        figure = plots_disagreements.disagreements(
            np.zeros((400, 28, 28), np.uint8),
            pair[0].run.rows,
            [(c.label, c.run.test) for c in pair],
            CLASS_NAMES,
        )

        assert is_whole(figure)
        same = (pair[0].run.test.predicted == pair[1].run.test.predicted).all()
        said = [part.get_suptitle().endswith("no such image") for part in figure.subfigs]
        assert said == [same, same]

    def test_no_more_than_asked_for(self) -> None:
        one, other = compared_models(FOUR)[::3]
        figure = plots_disagreements.disagreements(
            np.zeros((400, 28, 28), np.uint8),
            one.run.rows,
            [(one.label, one.run.test), (other.label, other.run.test)],
            CLASS_NAMES,
            count=3,
        )

        assert len([axes for axes in figure.axes if axes.images]) <= 6
        assert figure.subfigs[0].get_suptitle().splitlines()[-1].startswith("3 of ")
