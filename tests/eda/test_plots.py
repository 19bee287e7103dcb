from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from skimage.color import deltaE_ciede2000, rgb2lab

from fmnist.data.dataset import Split
from fmnist.eda import audit, plots, plots_embedding
from fmnist.results.eda import Exploration, NearDuplicates

IsWhole = Callable[[Figure], bool]


@pytest.fixture
def incomplete(explored: Exploration) -> Exploration:
    """A test split of three images, two classes in the samples, a constant pixel."""
    few = Split(explored.images[:3], np.array([1, 1, 8], np.uint8))
    means, stds = audit.class_statistics(few)
    correlations = explored.correlations.copy()
    correlations[[0, 5]] = correlations[:, [0, 5]] = np.nan
    return replace(
        explored,
        test=audit.audit(few),
        samples=audit.sample_rows(few, 12, 0),
        class_means=means,
        class_stds=stds,
        correlations=correlations,
    )


@pytest.fixture
def with_pairs(explored: Exploration) -> Exploration:
    """27 near-duplicates, every other one with different labels."""
    labels = explored.labels
    pairs = pd.DataFrame({"test_index": np.arange(27), "test_label": labels[600:627]})
    pairs["train_index"] = [
        np.flatnonzero((labels[:600] == label) == (pair % 2 == 0))[0]
        for pair, label in enumerate(pairs["test_label"])
    ]
    pairs["train_label"] = labels[pairs["train_index"]]
    pairs["structural_similarity"] = np.linspace(0.999, 0.97, 27)
    pairs = pairs[explored.near.pairs.columns]
    return replace(explored, near=NearDuplicates(pairs, 99))


def test_bars_show_the_class_counts(incomplete: Exploration) -> None:
    training, test = plots.class_balance(incomplete).axes
    assert [bar.get_width() for bar in training.patches] == [60] * 10
    assert [bar.get_width() for bar in test.patches] == [0, 2, 0, 0, 0, 0, 0, 0, 1, 0]
    assert test.get_title("left") == "test: 3 images"


def test_samples_are_the_selected_rows(explored: Exploration) -> None:
    [axes] = plots.samples(replace(explored, samples={**explored.samples, 4: []})).axes
    mosaic = np.asarray(axes.images[0].get_array())
    sample = mosaic[3 * 31 : 3 * 31 + 28, 5 * 31 : 5 * 31 + 28]
    assert np.array_equal(sample, explored.images[explored.samples[3][5]])
    assert not mosaic[4 * 31 : 4 * 31 + 28].any()
    assert [text.get_text() for text in axes.texts] == ["no image"]
    assert [text.get_text() for text in axes.get_yticklabels()] == list(explored.class_names)


def test_mean_images_share_a_scale_that_starts_white(explored: Exploration) -> None:
    figure = plots.mean_images(explored)
    means, stds = figure.axes[:10], figure.axes[10:20]
    for line in (means, stds):
        assert len({axes.images[0].get_clim() for axes in line}) == 1
        assert min(line[0].images[0].cmap(0.0)) > 0.97
    assert np.array_equal(means[6].images[0].get_array(), explored.class_means[6])


def test_intensities_are_fractions_of_the_class(incomplete: Exploration) -> None:
    figure = plots.pixel_intensity(incomplete)
    counts = incomplete.train.histogram[1]
    heights = np.asarray(figure.axes[1].lines[0].get_ydata())
    assert heights[-1] == pytest.approx(counts[248:].sum() / counts.sum())
    assert len(figure.axes[1].lines) == 2
    limits = [axes.get_ylim()[1] for axes in figure.axes]
    assert min(limits) > max(max(line.get_ydata()) for axes in figure.axes for line in axes.lines)
    assert len(figure.axes[0].lines) == 1  # no test image
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["training", "test"]


def test_constant_pixels_are_gray(incomplete: Exploration) -> None:
    heatmap, *others = plots.correlation_heatmap(incomplete).axes
    assert "2 constant pixels, gray" in heatmap.get_title("left")
    mask = np.ma.getmaskarray(heatmap.collections[0].get_array()).reshape(784, 784)
    assert mask[[0, 5]].all()
    assert mask.sum() == 4 * 784 - 4
    [center] = [axes for axes in others if "center pixel" in axes.get_title("left")]
    shown = np.asarray(center.collections[0].get_array()).ravel()
    np.testing.assert_array_equal(shown, incomplete.correlations[14 * 28 + 14])
    [distance] = [axes for axes in others if axes.get_title("left") == "By distance"]
    assert distance.get_ylim()[0] > -1  # the axis fits the data


def test_each_image_has_the_color_of_its_class(explored: Exploration) -> None:
    labels = explored.labels[explored.tsne_rows]
    figure = plots_embedding.tsne(explored)
    [dots] = figure.axes[0].collections
    label_of = {
        tuple(point): int(label)
        for point, label in zip(explored.embedding.points.tolist(), labels, strict=True)
    }
    drawn = zip(np.asarray(dots.get_offsets()).tolist(), dots.get_facecolors(), strict=True)
    colors = {(label_of[tuple(point)], to_hex(color)) for point, color in drawn}
    assert len(colors) == len({color for _, color in colors}) == 10
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == list(explored.class_names)
    assert {
        (label, to_hex(handle.get_markerfacecolor()))
        for label, handle in enumerate(legend.legend_handles)
    } == colors


def test_class_colors_are_easy_to_distinguish() -> None:
    lab = rgb2lab([[to_rgb(color) for color in plots_embedding.CLASS_COLORS]])[0]
    assert min(deltaE_ciede2000(one, other) for one, other in combinations(lab, 2)) > 25


def test_pca_figures_give_the_explained_variance(explored: Exploration) -> None:
    axes = plots_embedding.pca(explored).axes[0]
    assert f"{100 * explored.explained_variance[0]:.1f} %" in axes.get_xlabel()
    assert "PCA of 800 images" in axes.get_title("left")
    axes = plots_embedding.pca_variance(explored).axes[0]
    cumulative = np.asarray(axes.lines[0].get_ydata(), float)
    components = explored.components_for(0.9)
    assert cumulative[-1] == pytest.approx(1)
    assert cumulative[components - 1] >= 0.9 > cumulative[components - 2]
    assert axes.texts[0].get_text() == f"90 %: {components}"


def test_near_duplicates_share_a_frame_and_different_labels_are_red(
    with_pairs: Exploration, fits_canvas: IsWhole
) -> None:
    figure = plots.near_duplicates(with_pairs)
    [axes] = figure.axes
    pairs = with_pairs.near.pairs
    assert len(axes.images) == len(axes.patches) == len(axes.texts) == 20
    for place in (0, -1):
        shown = np.asarray(axes.images[place].get_array())
        test, train = pairs.iloc[place][["test_index", "train_index"]].astype(int)
        assert np.array_equal(shown[:, :28], with_pairs.images[600 + test])
        assert np.array_equal(shown[:, -28:], with_pairs.images[train])
        left, right, bottom, top = axes.images[place].get_extent()
        frame = axes.patches[place].get_bbox()
        assert (frame.x0, frame.x1, frame.y0, frame.y1) == (left, right, top, bottom)
    different = {text.get_color() for text in axes.texts if " / " in text.get_text()}
    same = {text.get_color() for text in axes.texts if " / " not in text.get_text()}
    assert len(different) == len(same) == 1
    assert different != same
    assert fits_canvas(figure)
    none = replace(with_pairs, near=NearDuplicates(pairs[:0], 0))
    assert "No near-duplicates" in plots.near_duplicates(none).texts[0].get_text()


def test_figures_fit_long_names_and_missing_classes(
    incomplete: Exploration,
    with_pairs: Exploration,
    long_class_names: list[str],
    fits_canvas: IsWhole,
) -> None:
    result = replace(incomplete, class_names=tuple(long_class_names), near=with_pairs.near)
    for plot in (
        plots.class_balance,
        plots.samples,
        plots.mean_images,
        plots.pixel_intensity,
        plots.near_duplicates,
        plots.correlation_heatmap,
        plots_embedding.pca,
        plots_embedding.tsne,
    ):
        assert fits_canvas(plot(result)), plot.__name__
