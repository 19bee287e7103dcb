from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from fmnist.data.dataset import Split
from fmnist.eda import audit, plots
from fmnist.eda.embedding import summarize_by_distance
from fmnist.results.eda import Exploration, NearDuplicates, SplitAudit

IsWhole = Callable[[Figure], bool]


@pytest.fixture
def few(explored: Exploration) -> Split:
    """Three images of two classes."""
    return Split(explored.images[:3], np.array([1, 1, 8], np.uint8))


@pytest.fixture
def audits(explored: Exploration, few: Split) -> dict[str, SplitAudit]:
    return {"training": explored.train, "test": audit.audit(few)}


@pytest.fixture
def with_pairs(explored: Exploration) -> Exploration:
    """27 near-duplicates, every other one with different labels."""
    labels = explored.labels
    test = np.arange(27)
    test_labels = labels[explored.train.rows + test]
    train = np.array(
        [
            np.flatnonzero((labels[:600] == label) == (pair % 2 == 0))[0]
            for pair, label in enumerate(test_labels)
        ]
    )
    similarities = np.linspace(0.999, 0.97, 27)
    return replace(explored, near=NearDuplicates(test, train, similarities, 99, 0.97, 0.06))


def test_bars_show_the_class_counts(audits: dict[str, SplitAudit], class_names: list[str]) -> None:
    training, test = plots.class_balance(audits, class_names).axes
    assert [bar.get_width() for bar in training.patches] == [60] * 10
    assert [bar.get_width() for bar in test.patches] == [0, 2, 0, 0, 0, 0, 0, 0, 1, 0]
    assert test.get_title() == "test: 3 images"


def test_samples_are_the_given_rows(explored: Exploration, class_names: list[str]) -> None:
    figure = plots.samples(explored.images, {**explored.samples, 4: []}, class_names)
    [axes] = figure.axes
    mosaic = np.asarray(axes.images[0].get_array())
    sample = mosaic[3 * 31 : 3 * 31 + 28, 5 * 31 : 5 * 31 + 28]
    assert np.array_equal(sample, explored.images[explored.samples[3][5]])
    assert not mosaic[4 * 31 : 4 * 31 + 28].any()
    assert [text.get_text() for text in axes.texts] == ["no image"]
    assert [text.get_text() for text in axes.get_yticklabels()] == class_names


def test_mean_images_share_a_scale_that_starts_white(
    explored: Exploration, class_names: list[str]
) -> None:
    figure = plots.mean_images(explored.class_means, explored.class_stds, class_names)
    means, stds = figure.axes[:10], figure.axes[10:20]
    for line in (means, stds):
        assert len({axes.images[0].get_clim() for axes in line}) == 1
        assert min(line[0].images[0].cmap(0.0)) > 0.97
    assert np.array_equal(means[6].images[0].get_array(), explored.class_means[6])


def test_intensities_are_fractions_of_the_class(
    audits: dict[str, SplitAudit], class_names: list[str]
) -> None:
    figure = plots.pixel_intensity(audits, class_names)
    counts = audits["training"].histogram[1]
    heights = np.asarray(figure.axes[1].lines[0].get_ydata())
    assert heights[-1] == pytest.approx(counts[248:].sum() / counts.sum())
    assert heights.max() == pytest.approx(
        np.add.reduceat(np.where(np.arange(256), counts, 0), range(0, 256, 8)).max() / counts.sum()
    )
    assert len(figure.axes[0].lines) == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training", "test"]


def test_constant_pixels_are_gray(explored: Exploration, is_whole: IsWhole) -> None:
    correlations = explored.correlations.copy()
    correlations[[0, 5]] = correlations[:, [0, 5]] = np.nan
    figure = plots.correlation_heatmap(correlations, summarize_by_distance(correlations))
    heatmap = figure.axes[0]
    assert "2 constant pixels, gray" in heatmap.get_title()
    mask = np.ma.getmaskarray(heatmap.collections[0].get_array()).reshape(784, 784)
    assert mask[[0, 5]].all()
    assert mask.sum() == 4 * 784 - 4
    assert is_whole(figure)


def test_center_pixel_is_compared_with_all_others(explored: Exploration) -> None:
    figure = plots.correlation_heatmap(explored.correlations, explored.correlation_by_distance)
    [center] = [axes for axes in figure.axes if "center pixel" in axes.get_title()]
    shown = np.asarray(center.collections[0].get_array()).ravel()
    assert np.array_equal(shown, explored.correlations[14 * 28 + 14])
    [distance] = [axes for axes in figure.axes if axes.get_title() == "By distance"]
    assert distance.get_ylim()[0] > -1  # the axis fits the data


def test_each_image_has_the_color_of_its_class(
    explored: Exploration, class_names: list[str], is_whole: IsWhole
) -> None:
    labels = explored.labels[explored.tsne_rows]
    figure = plots.tsne(explored.embedding, explored.quality, labels, class_names)
    [dots] = figure.axes[0].collections
    label_of = {
        tuple(point): int(label)
        for point, label in zip(explored.embedding.points.tolist(), labels, strict=True)
    }
    drawn = zip(np.asarray(dots.get_offsets()).tolist(), dots.get_facecolors(), strict=True)
    colors = {(label_of[tuple(point)], to_hex(color)) for point, color in drawn}
    assert len(colors) == len({color for _, color in colors}) == 10
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == class_names
    assert {
        (label, to_hex(handle.get_markerfacecolor()))
        for label, handle in enumerate(legend.legend_handles)
    } == colors
    assert is_whole(figure)


def test_pca_axes_give_the_explained_variance(
    explored: Exploration, class_names: list[str]
) -> None:
    variance = explored.explained_variance
    figure = plots.pca(explored.scores, explored.labels, variance, class_names)
    assert f"{variance[0]:.1%}" in figure.axes[0].get_xlabel()
    assert "PCA of 800 images" in figure.axes[0].get_title()


def test_variance_curve_ends_at_one_and_marks_fractions(explored: Exploration) -> None:
    components = {0.9: explored.components_for(0.9)}
    axes = plots.pca_variance(explored.explained_variance, components).axes[0]
    cumulative = np.asarray(axes.lines[0].get_ydata(), float)
    assert cumulative[-1] == pytest.approx(1)
    assert cumulative[components[0.9] - 1] >= 0.9 > cumulative[components[0.9] - 2]
    assert axes.texts[0].get_text() == f"90%: {components[0.9]}"


def test_near_duplicates_share_a_frame_and_different_labels_are_red(
    with_pairs: Exploration, is_whole: IsWhole
) -> None:
    figure = plots.near_duplicates(with_pairs)
    assert len(figure.axes) == 20
    near = with_pairs.near
    for axes, pair in ((figure.axes[0], 0), (figure.axes[-1], -1)):
        expected = [with_pairs.images[600 + near.test[pair]], with_pairs.images[near.train[pair]]]
        assert np.array_equal(axes.images[0].get_array(), np.hstack(expected))
        assert all(spine.get_visible() for spine in axes.spines.values())
    different = {axes.title.get_color() for axes in figure.axes if " / " in axes.get_title()}
    same = {axes.title.get_color() for axes in figure.axes if " / " not in axes.get_title()}
    assert len(different) == len(same) == 1
    assert different != same
    assert is_whole(figure)


def test_no_near_duplicates_are_stated(explored: Exploration, is_whole: IsWhole) -> None:
    figure = plots.near_duplicates(explored)
    assert "No near-duplicates" in figure.texts[0].get_text()
    assert is_whole(figure)


@pytest.mark.parametrize("case", ["complete", "missing classes"])
def test_figures_fit_long_names_and_missing_classes(
    case: str,
    explored: Exploration,
    few: Split,
    long_class_names: list[str],
    is_whole: IsWhole,
) -> None:
    split = few if case == "missing classes" else Split(explored.images, explored.labels)
    result = audit.audit(split)
    rows = audit.sample_rows(split.labels, 12, 0)
    for figure in (
        plots.class_balance({"training": result, "test": result}, long_class_names),
        plots.samples(explored.images, rows, long_class_names),
        plots.mean_images(*audit.class_statistics(split), long_class_names),
        plots.pixel_intensity({"training": result, "test": result}, long_class_names),
        plots.pca(
            explored.scores[: len(split)], split.labels, explored.explained_variance,
            long_class_names,
        ),
    ):  # fmt: skip
        assert is_whole(figure)
