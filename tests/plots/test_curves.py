"""Metrics over epochs, for histories of any length, with and without validation."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fmnist import names
from fmnist.plots import curves
from fmnist.results.training import History

COLUMNS = (names.TRAIN_LOSS, names.TRAIN_ACCURACY, names.VAL_LOSS, names.VAL_ACCURACY)
LENET = History(
    tuple(
        dict(zip(COLUMNS, values, strict=True))
        for values in (
            (0.70, 0.75, 0.60, 0.79),
            (0.50, 0.82, 0.45, 0.84),
            (0.40, 0.86, 0.48, 0.85),
        )
    )
)
UNVALIDATED = History(
    tuple({names.TRAIN_LOSS: 1 / epoch, names.TRAIN_ACCURACY: 0.5} for epoch in range(1, 6))
)
PLOTS = pytest.mark.parametrize("plot", [curves.plot_accuracy, curves.plot_convergence])
Plot = Callable[..., Figure]


def get_lines(figure: Figure) -> dict[str, Line2D]:
    (axes,) = figure.axes
    return {str(line.get_label()): line for line in axes.lines}


def get_points(line: Line2D) -> list[tuple[float, float]]:
    return [tuple(point) for point in np.asarray(line.get_xydata()).tolist()]


def read_epoch_ticks(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    labels = axes.get_xticklabels()
    return [label.get_text() for label in labels if low <= label.get_position()[0] <= high]


def read_legends(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_lines_are_the_metrics_of_the_history() -> None:
    lines = get_lines(curves.plot_accuracy({"lenet5": LENET}))
    assert get_points(lines["lenet5 training"]) == [(1, 0.75), (2, 0.82), (3, 0.86)]
    assert get_points(lines["lenet5 validation"]) == [(1, 0.79), (2, 0.84), (3, 0.85)]
    assert get_points(lines["lenet5 evaluated"]) == [(2, 0.84)]  # the lowest loss

    lines = get_lines(curves.plot_convergence({"lenet5": LENET}))
    assert get_points(lines["lenet5 training"]) == [(1, 0.70), (2, 0.50), (3, 0.40)]
    assert get_points(lines["lenet5 validation"]) == [(1, 0.60), (2, 0.45), (3, 0.48)]
    assert get_points(lines["lenet5 evaluated"]) == [(2, 0.45)]


@PLOTS
def test_the_evaluated_epoch_is_marked_and_named(plot: Plot) -> None:
    best, last = (plot({"lenet5": LENET}, {"lenet5": epoch}) for epoch in (2, 3))
    assert get_points(get_lines(best)["lenet5 evaluated"])[0][0] == 2
    assert read_legends(best)[-1] == "evaluated: epoch 2\n(lowest validation loss)"
    assert get_points(get_lines(last)["lenet5 evaluated"])[0][0] == 3
    assert read_legends(last)[-1] == "evaluated: epoch 3"
    both = {"lenet5": LENET, "convnet": LENET}
    several = plot(both, dict.fromkeys(both, 3))
    assert read_legends(several)[-1] == "evaluated epoch"


def test_every_model_has_its_own_style() -> None:
    lines = get_lines(curves.plot_accuracy({f"model {number}": LENET for number in range(20)}))
    styles = set()
    for number in range(20):
        training, validation, ring = (
            lines[f"model {number} {name}"] for name in ("training", "validation", "evaluated")
        )
        assert training.get_color() == validation.get_color() == ring.get_color()
        assert (training.get_linestyle(), validation.get_linestyle()) == ("--", "-")
        styles.add((validation.get_color(), validation.get_marker()))
    assert len(styles) == 20


def test_legends_contain_models_and_line_styles() -> None:
    figure = curves.plot_convergence({"vgg16": LENET, "lenet5": LENET})
    assert read_legends(figure) == [
        "vgg16", "lenet5", curves.TRAINING_MEANING, "validation", "lowest validation loss",
    ]  # fmt: skip


@PLOTS
def test_a_history_without_validation_has_only_a_training_line(plot: Plot) -> None:
    figure = plot({"plain": UNVALIDATED})
    assert list(get_lines(figure)) == ["plain training"]
    assert read_legends(figure) == ["plain", curves.TRAINING_MEANING]


@PLOTS
def test_histories_of_unequal_length_share_the_axis(plot: Plot) -> None:
    figure = plot({"short": LENET, "long": UNVALIDATED})
    assert len(get_points(get_lines(figure)["short training"])) == 3
    assert len(get_points(get_lines(figure)["long training"])) == 5
    assert read_epoch_ticks(figure) == ["1", "2", "3", "4", "5"]


@PLOTS
def test_one_epoch_is_drawn_as_a_marker(plot: Plot) -> None:
    figure = plot({"lenet5": History(LENET.rows[:1])})
    training, validation, _ = get_lines(figure).values()
    assert read_epoch_ticks(figure) == ["1"]
    assert training.get_marker() == validation.get_marker() == "o"
    assert training.get_markerfacecolor() != validation.get_markerfacecolor()


@pytest.mark.parametrize("epochs", [2, 11, 50, 333])
def test_epoch_ticks_are_whole_numbers(epochs: int) -> None:
    history = History(tuple({names.TRAIN_LOSS: 1.0} for _ in range(epochs)))
    ticks = read_epoch_ticks(curves.plot_convergence({"lenet5": history}))
    assert 2 <= len(ticks) <= 14
    assert all(tick.isdecimal() and 1 <= int(tick) <= epochs for tick in ticks)


@PLOTS
@pytest.mark.parametrize("models", [1, 3, 10])
def test_long_labels_are_not_clipped_and_legends_cover_no_data(
    plot: Plot, models: int, fits_canvas: Callable[[Figure], bool]
) -> None:
    labels = [f"resnet50 {number} IMAGENET WEIGHTS, 0.4 $dropout" for number in range(models)]
    figure = plot(dict.fromkeys(labels, LENET))
    assert fits_canvas(figure)
    assert [text.replace("\n", " ") for text in read_legends(figure)[:models]] == labels
    (axes,) = figure.axes
    for legend in figure.legends:
        assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_axes_have_labels_and_units() -> None:
    [accuracy] = curves.plot_accuracy({"lenet5": LENET}).axes
    [convergence] = curves.plot_convergence({"lenet5": LENET}).axes
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("Epoch", "Accuracy")
    assert "nats" in convergence.get_ylabel()


def test_an_empty_plot_is_rejected() -> None:
    with pytest.raises(ValueError, match="at least one history"):
        curves.plot_accuracy({})
