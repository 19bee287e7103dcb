"""Correlation, projection and near-duplicates: what the figures show is what was found."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from fmnist.eda import plots_correlation, plots_duplicates, plots_embedding
from fmnist.eda.pixel_correlation import by_distance
from fmnist.results.eda import Exploration, NearDuplicates


@pytest.fixture
def with_pairs(explored: Exploration) -> Exploration:
    """27 pairs, every other one of two labels."""
    labels = explored.labels
    test = np.arange(27)
    of_test = labels[explored.train.rows + test]
    train = np.array(
        [
            np.flatnonzero((labels[:600] == label) == (place % 2 == 0))[0]
            for place, label in enumerate(of_test)
        ]
    )
    similarities = np.linspace(0.999, 0.97, 27)
    return replace(explored, near=NearDuplicates(test, train, similarities, 99, 0.97, 0.06))


def test_constant_pixels_are_told_and_grey(
    explored: Exploration, is_whole: Callable[[Figure], bool]
) -> None:
    table = explored.correlations.copy()
    table[[0, 5]] = table[:, [0, 5]] = np.nan
    figure = plots_correlation.correlation_heatmap(table, by_distance(table))
    heatmap = figure.axes[0]
    assert heatmap.get_title() == "Correlation of the training pixels (2 constant pixels, gray)"
    assert np.ma.getmaskarray(heatmap.images[0].get_array())[0].all()
    assert is_whole(figure)


def test_the_centre_pixel_is_shown_with_all_others(explored: Exploration) -> None:
    figure = plots_correlation.correlation_heatmap(explored.correlations, explored.by_distance)
    [center] = [a for a in figure.axes if a.get_title() == "With the center pixel (cross)"]
    shown = np.asarray(center.images[0].get_array())
    assert shown[14, 14] == 1
    assert np.array_equal(shown.ravel(), explored.correlations[14 * 28 + 14])


def test_every_point_is_drawn_in_its_class_color(
    explored: Exploration, class_names: list[str], is_whole: Callable[[Figure], bool]
) -> None:
    labels = explored.labels[explored.laid_out]
    figure = plots_embedding.tsne(explored.layout.points, labels, "told", class_names)
    [dots] = figure.axes[0].collections
    drawn = {
        (*place, *color)
        for place, color in zip(
            np.asarray(dots.get_offsets()).tolist(), dots.get_facecolors().tolist(), strict=True
        )
    }
    assert len(drawn) == 300
    by_color: dict[tuple[float, ...], set[int]] = {}
    places = {
        tuple(p): label for p, label in zip(explored.layout.points.tolist(), labels, strict=True)
    }
    for x, y, *color in drawn:
        by_color.setdefault(tuple(color), set()).add(int(places[x, y]))
    assert sorted(map(sorted, by_color.values())) == [[c] for c in range(10)]
    assert is_whole(figure)


def test_pca_tells_the_variance(explored: Exploration, class_names: list[str]) -> None:
    figure = plots_embedding.pca(explored.scores, explored.labels, explored.shares, class_names)
    assert f"{explored.shares[0]:.1%}" in figure.axes[0].get_xlabel()
    assert "PCA of 800 images" in figure.axes[0].get_title()


def test_the_variance_curve_ends_at_one_and_marks_what_was_asked(explored: Exploration) -> None:
    needed = {0.9: explored.components_for(0.9)}
    axes = plots_embedding.pca_variance(explored.shares, needed).axes[0]
    together = np.asarray(axes.lines[0].get_ydata(), float)
    assert together[-1] == pytest.approx(1)
    assert together[needed[0.9] - 1] >= 0.9 > together[needed[0.9] - 2]
    assert axes.texts[0].get_text() == f"90%: {needed[0.9]}"


def test_pairs_stand_side_by_side_and_two_labels_are_red(
    with_pairs: Exploration, is_whole: Callable[[Figure], bool]
) -> None:
    figure = plots_duplicates.near_duplicates(with_pairs)
    assert len(figure.axes) == 40
    assert np.array_equal(figure.axes[0].images[0].get_array(), with_pairs.images[600])
    last = with_pairs.images[with_pairs.near.train[-1]]
    assert np.array_equal(figure.axes[-1].images[0].get_array(), last)
    boxes = [box for box in figure.subfigs if box.get_suptitle()]
    for box in boxes:
        assert (box._suptitle.get_color() == "black") == ("/" not in box.get_suptitle().replace(
            "T-shirt/top", ""))  # fmt: skip
    assert {box._suptitle.get_color() for box in boxes} == {"black", "#C00000"}
    assert is_whole(figure)


def test_no_pair_is_said_in_words(
    explored: Exploration, is_whole: Callable[[Figure], bool]
) -> None:
    figure = plots_duplicates.near_duplicates(explored)
    assert "No test image nearly equals a training image" in figure.texts[0].get_text()
    assert is_whole(figure)
