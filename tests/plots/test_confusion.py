import math
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from fmnist.evaluation import metrics
from fmnist.plots.confusion import plot_confusion_difference, plot_confusion_matrix
from fmnist.results.training import CLASSES, Evaluation


def read_cells(axes: Axes) -> dict[tuple[int, int], str]:
    """The annotations by (row, column)."""
    positions = [text.get_position() for text in axes.texts]
    texts = [text.get_text() for text in axes.texts]
    return {(int(y), int(x)): text for (x, y), text in zip(positions, texts, strict=True)}


def predict(labels: list[int], predicted: list[int]) -> Evaluation:
    return Evaluation(np.array(labels), np.eye(CLASSES, dtype=np.float32)[predicted])


def compute_luminance(color: tuple[float, float, float]) -> float:
    """Relative luminance as defined by WCAG 2.2, 0 (black) to 1 (white)."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_cells_are_counts_colored_by_fraction_of_the_true_class(
    evaluation: Evaluation, class_names: list[str]
) -> None:
    figure = plot_confusion_matrix(evaluation, class_names)
    figure.draw_without_rendering()
    axes, bar = figure.axes
    counts = metrics.confusion_counts(evaluation)
    cells = read_cells(axes)
    assert [
        [int(cells[row, column]) for column in range(10)] for row in range(10)
    ] == counts.tolist()
    [mesh] = axes.collections
    fractions = np.asarray(mesh.get_array()).reshape(CLASSES, CLASSES)
    assert fractions == pytest.approx(counts / counts.sum(axis=1, keepdims=True))
    assert mesh.get_clim() == (0, 1)
    assert {"0 %", "10 %", "100 %"} <= {label.get_text() for label in bar.get_yticklabels()}
    assert [label.get_text() for label in axes.get_xticklabels()] == class_names
    assert [label.get_text() for label in axes.get_yticklabels()] == class_names
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted class", "True class")


def test_a_class_without_images_has_an_empty_row(class_names: list[str]) -> None:
    axes = plot_confusion_matrix(predict([2, 2], [2, 3]), class_names).axes[0]
    fractions = np.asarray(axes.collections[0].get_array()).reshape(CLASSES, CLASSES)
    assert fractions[2].tolist() == [0, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 0]
    assert np.delete(fractions, 2, axis=0).sum() == 0


def test_counts_contrast_with_their_cells(class_names: list[str]) -> None:
    # Of class 0, 1 + 2 + ... + 9 of 45 images are predicted as 1 to 9: colors from light to dark.
    predicted = np.repeat(np.arange(CLASSES), np.arange(CLASSES)).tolist()
    axes = plot_confusion_matrix(predict([0] * 45, predicted), class_names).axes[0]
    for text, fill in zip(axes.texts, axes.collections[0].get_facecolor(), strict=True):
        colors = to_rgb(text.get_color()), to_rgb(fill)
        dark, light = sorted(map(compute_luminance, colors))
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, 1.4.3 (AA)


def test_the_difference_of_two_models(class_names: list[str]) -> None:
    first, second = predict([0, 0, 1], [0, 0, 2]), predict([0, 0, 1], [0, 3, 2])
    counts = (metrics.confusion_counts(each).astype(float) for each in (first, second))
    figure = plot_confusion_difference(*counts, ("ours", "theirs"), class_names)
    axes = figure.axes[0]
    cells = {cell: text for cell, text in read_cells(axes).items() if text}
    assert cells == {(0, 0): "+1", (0, 3): "\N{MINUS SIGN}1"}
    blue, red = figure.get_suptitle().splitlines()
    assert "Blue" in blue
    assert "ours" in blue
    assert "Red" in red
    assert "theirs" in red
    [mesh] = axes.collections
    assert mesh.get_clim() == (-1, 1)
    red_channel, _, blue_channel, _ = mesh.to_rgba(1)
    assert blue_channel > red_channel


def test_long_names_are_whole_and_do_not_overlap(
    evaluation: Evaluation,
    long_class_names: list[str],
    fits_canvas: Callable[[Figure], bool],
    overlapping: Callable[[list[Text]], list[tuple[str, str]]],
) -> None:
    figure = plot_confusion_matrix(evaluation, long_class_names)
    assert fits_canvas(figure)
    axes = figure.axes[0]
    assert not overlapping([*axes.get_yticklabels(), *axes.texts])
    # Each rotated label must be thinner than its diagonal band.
    cell = axes.get_window_extent().width / CLASSES
    for label in axes.get_xticklabels():
        band = cell * math.sin(math.radians(label.get_rotation()))
        label.set_rotation(0)
        assert label.get_window_extent().height <= band


def test_counts_of_five_digits_fit_into_their_cells(long_class_names: list[str]) -> None:
    labels = np.repeat(np.arange(CLASSES), 12_000)
    evaluation = Evaluation(labels, np.eye(CLASSES, dtype=np.float32)[np.roll(labels, 1)])
    figure = plot_confusion_matrix(evaluation, long_class_names)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    cell = axes.get_window_extent().width / CLASSES
    assert max(text.get_window_extent().width for text in axes.texts) < cell
