import math
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from fmnist.evaluation import metrics
from fmnist.plots.confusion import confusion_matrix
from fmnist.results.training import CLASSES, Evaluation


def luminance(color: tuple[float, float, float]) -> float:
    """Relative luminance of WCAG 2.2, 0 (black) to 1 (white)."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_cell_says_its_count(evaluation: Evaluation, class_names: list[str]) -> None:
    axes = confusion_matrix(evaluation, class_names).axes[0]

    counts = np.full((CLASSES, CLASSES), -1)
    for text in axes.texts:
        column, row = text.get_position()
        counts[int(row), int(column)] = int(text.get_text())
    assert counts.tolist() == metrics.confusion_counts(evaluation).tolist()


def test_colors_are_shares_of_the_true_class(
    evaluation: Evaluation, class_names: list[str]
) -> None:
    axes = confusion_matrix(evaluation, class_names).axes[0]

    (image,) = axes.images
    shares = np.asarray(image.get_array())
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert shares[3, 3] == np.mean(evaluation.predicted[evaluation.labels == 3] == 3)
    assert image.get_clim() == (0, 1)


def test_classes_are_named_on_both_axes(evaluation: Evaluation, class_names: list[str]) -> None:
    axes = confusion_matrix(evaluation, class_names).axes[0]

    assert [label.get_text() for label in axes.get_xticklabels()] == class_names
    assert [label.get_text() for label in axes.get_yticklabels()] == class_names
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted class", "True class")


def test_the_color_bar_is_in_percent(evaluation: Evaluation, class_names: list[str]) -> None:
    figure = confusion_matrix(evaluation, class_names)
    figure.draw_without_rendering()

    bar = figure.axes[1]
    assert bar.get_ylabel() == "Share of the true class"
    assert {"0%", "10%", "100%"} <= {label.get_text() for label in bar.get_yticklabels()}


def test_counts_contrast_with_their_cells(class_names: list[str]) -> None:
    # Of class 0, 1 + 2 + ... + 9 of 45 images are taken for classes 1 to 9: colors light to dark.
    predicted = np.repeat(np.arange(CLASSES), np.arange(CLASSES))
    evaluation = Evaluation(
        np.zeros(len(predicted), np.int64), np.eye(CLASSES, dtype=np.float32)[predicted]
    )

    axes = confusion_matrix(evaluation, class_names).axes[0]

    (image,) = axes.images
    fills = image.to_rgba(np.asarray(image.get_array()))
    for text in axes.texts:
        column, row = text.get_position()
        dark, light = sorted(
            (luminance(to_rgb(text.get_color())), luminance(to_rgb(fills[int(row), int(column)])))
        )
        # 4.5 is the least contrast that WCAG 2.2 (1.4.3, AA) asks of text.
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_class_without_images_has_an_empty_row(class_names: list[str]) -> None:
    evaluation = Evaluation(np.array([2, 2]), np.eye(CLASSES, dtype=np.float32)[[2, 3]])

    (image,) = confusion_matrix(evaluation, class_names).axes[0].images

    shares = np.asarray(image.get_array())
    assert shares[2].tolist() == [0, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 0]
    assert np.delete(shares, 2, axis=0).sum() == 0


def test_long_names_are_whole_and_apart(
    evaluation: Evaluation,
    long_class_names: list[str],
    is_whole: Callable[[Figure], bool],
    overlapping: Callable[[list[Text]], list[tuple[str, str]]],
) -> None:
    figure = confusion_matrix(evaluation, long_class_names)

    assert is_whole(figure)
    axes = figure.axes[0]
    assert not overlapping([*axes.get_yticklabels(), *axes.texts])
    # Slanted labels hang in bands beside each other; each must be no thicker than its band.
    labels = axes.get_xticklabels()
    cell = axes.get_window_extent().width / CLASSES
    for label in labels:
        band = cell * math.sin(math.radians(label.get_rotation()))
        label.set_rotation(0)
        assert label.get_window_extent().height <= band


def test_counts_of_five_digits_fit_their_cells(
    long_class_names: list[str], overlapping: Callable[[list[Text]], list[tuple[str, str]]]
) -> None:
    labels = np.repeat(np.arange(CLASSES), 60_000 // CLASSES * 2)
    predicted = np.roll(labels, 1)
    evaluation = Evaluation(labels, np.eye(CLASSES, dtype=np.float32)[predicted])

    figure = confusion_matrix(evaluation, long_class_names)
    figure.draw_without_rendering()

    axes = figure.axes[0]
    cell = axes.get_window_extent().width / CLASSES
    assert max(text.get_window_extent().width for text in axes.texts) < cell
