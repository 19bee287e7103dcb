from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fmnist import names
from fmnist.plots import curves
from fmnist.results.training import History

LENET = History(
    tuple(
        {
            names.TRAIN_LOSS: train_loss,
            names.TRAIN_ACCURACY: train_accuracy,
            names.VAL_LOSS: val_loss,
            names.VAL_ACCURACY: val_accuracy,
        }
        for train_loss, train_accuracy, val_loss, val_accuracy in (
            (0.70, 0.75, 0.60, 0.79),
            (0.50, 0.82, 0.45, 0.84),
            (0.40, 0.86, 0.48, 0.85),
        )
    )
)
UNVALIDATED = History(
    tuple({names.TRAIN_LOSS: 1 / epoch, names.TRAIN_ACCURACY: 0.5} for epoch in range(1, 6))
)
ONE_EPOCH = History(LENET.rows[:1])


def lines(figure: Figure) -> dict[str, Line2D]:
    (axes,) = figure.axes
    return {str(line.get_label()): line for line in axes.lines}


def points(line: Line2D) -> list[tuple[float, float]]:
    return [(epoch, value) for epoch, value in np.asarray(line.get_xydata()).tolist()]


def read_epoch_ticks(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    return [
        label.get_text()
        for label in axes.get_xticklabels()
        if low <= label.get_position()[0] <= high
    ]


def read_legends(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_lines_are_the_metrics_of_the_history() -> None:
    drawn = lines(curves.plot_accuracy({"lenet5": LENET}))

    assert points(drawn["lenet5 training"]) == [(1, 0.75), (2, 0.82), (3, 0.86)]
    assert points(drawn["lenet5 validation"]) == [(1, 0.79), (2, 0.84), (3, 0.85)]
    assert points(drawn["lenet5 best"]) == [(3, 0.85)]

    drawn = lines(curves.plot_convergence({"lenet5": LENET}))

    assert points(drawn["lenet5 training"]) == [(1, 0.70), (2, 0.50), (3, 0.40)]
    assert points(drawn["lenet5 validation"]) == [(1, 0.60), (2, 0.45), (3, 0.48)]
    assert points(drawn["lenet5 best"]) == [(2, 0.45)]


def test_each_model_has_its_own_color() -> None:
    drawn = lines(curves.plot_accuracy({"one": LENET, "two": LENET}))

    assert drawn["one training"].get_color() == drawn["one validation"].get_color()
    assert drawn["one best"].get_color() == drawn["one validation"].get_color()
    assert drawn["one validation"].get_color() != drawn["two validation"].get_color()
    assert drawn["one training"].get_linestyle() == "--"
    assert drawn["one validation"].get_linestyle() == "-"


def test_twenty_models_can_be_distinguished() -> None:
    drawn = lines(curves.plot_accuracy({f"model {number}": LENET for number in range(20)}))
    appearances = {
        (
            drawn[f"model {number} validation"].get_color(),
            drawn[f"model {number} validation"].get_marker(),
        )
        for number in range(20)
    }

    assert len(appearances) == 20


def test_legends_contain_models_and_line_styles() -> None:
    figure = curves.plot_convergence({"vgg16": LENET, "lenet5": LENET})

    assert read_legends(figure) == [
        "vgg16",
        "lenet5",
        "training",
        "validation",
        "lowest validation",
    ]


def test_a_history_without_validation_has_only_a_training_line() -> None:
    figure = curves.plot_convergence({"plain": UNVALIDATED})

    assert list(lines(figure)) == ["plain training"]
    assert read_legends(figure) == ["plain", "training"]


@pytest.mark.parametrize("models", [1, 2, 4, 10])
def test_legends_cover_no_data(models: int) -> None:
    figure = curves.plot_accuracy({f"model {number}": LENET for number in range(models)})
    figure.draw_without_rendering()

    (axes,) = figure.axes
    for legend in figure.legends:
        assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_long_names_of_many_models_are_not_truncated() -> None:
    labels = [f"efficientnetb0, weights of mine, input size {n}" for n in range(32, 42)]
    shown = read_legends(curves.plot_accuracy(dict.fromkeys(labels, LENET)))

    assert [name.replace("\n", " ") for name in shown[:10]] == labels


def test_histories_of_unequal_length_share_the_axis() -> None:
    figure = curves.plot_convergence({"short": LENET, "long": UNVALIDATED})

    assert len(points(lines(figure)["long training"])) == 5
    assert read_epoch_ticks(figure) == ["1", "2", "3", "4", "5"]


def test_one_epoch_is_drawn_as_a_marker() -> None:
    figure = curves.plot_accuracy({"lenet5": ONE_EPOCH})
    training, validation, _ = lines(figure).values()

    assert read_epoch_ticks(figure) == ["1"]
    assert training.get_marker() == validation.get_marker() == "o"
    assert training.get_markerfacecolor() != validation.get_markerfacecolor()


@pytest.mark.parametrize("epochs", [2, 11, 13, 50, 333])
def test_epoch_ticks_are_whole_numbers(epochs: int) -> None:
    history = History(tuple({names.TRAIN_LOSS: 1.0} for _ in range(epochs)))

    ticks = read_epoch_ticks(curves.plot_convergence({"lenet5": history}))

    assert 2 <= len(ticks) <= 14
    assert all(name.isdecimal() and 1 <= int(name) <= epochs for name in ticks)


def test_axes_are_named_and_accuracy_is_in_percent() -> None:
    accuracy = curves.plot_accuracy({"lenet5": LENET}).axes[0]
    convergence = curves.plot_convergence({"lenet5": LENET}).axes[0]

    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("Epoch", "Accuracy")
    assert (convergence.get_xlabel(), convergence.get_ylabel()) == (
        "Epoch",
        "Cross-entropy loss (nats)",
    )
    assert accuracy.yaxis.get_major_formatter().format_pct(0.8, 0.1) == "80.0%"


@pytest.mark.parametrize("draw", [curves.plot_accuracy, curves.plot_convergence])
@pytest.mark.parametrize("models", [1, 3, 8])
def test_long_model_names_stay_on_the_canvas(
    draw: Callable[[dict[str, History]], Figure],
    models: int,
    is_whole: Callable[[Figure], bool],
) -> None:
    labels = [f"resnet50 {number} IMAGENET WEIGHTS, 0.4 $dropout" for number in range(models)]

    assert is_whole(draw(dict.fromkeys(labels, LENET)))


def test_an_empty_plot_is_rejected() -> None:
    with pytest.raises(ValueError, match="at least one history"):
        curves.plot_accuracy({})
