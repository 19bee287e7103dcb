from collections.abc import Callable, Sequence

import numpy as np
import pytest
from matplotlib.figure import Figure

from fmnist.data.dataset import Split
from fmnist.eda import audit, plots_pixels
from fmnist.results.eda import Exploration, SplitAudit


@pytest.fixture
def few(explored: Exploration) -> Split:
    """Three images of two classes: eight classes are missing."""
    return Split(explored.images[:3], np.array([1, 1, 8], np.uint8))


@pytest.fixture
def audits(explored: Exploration, few: Split) -> dict[str, SplitAudit]:
    return {"training": explored.train, "test": audit.audit(few)}


def test_bars_are_the_counts(audits: dict[str, SplitAudit], class_names: list[str]) -> None:
    training, test = plots_pixels.class_balance(audits, class_names).axes
    assert [bar.get_width() for bar in training.patches] == [60] * 10
    assert [bar.get_width() for bar in test.patches] == [0, 2, 0, 0, 0, 0, 0, 0, 1, 0]
    assert test.get_title() == "test: 3 images"


def test_samples_are_the_rows_asked_for(explored: Exploration, class_names: list[str]) -> None:
    figure = plots_pixels.samples(explored.images, {**explored.samples, 4: []}, class_names)
    [axes] = figure.axes
    mosaic = np.asarray(axes.images[0].get_array())
    sample = mosaic[3 * 31 : 3 * 31 + 28, 5 * 31 : 5 * 31 + 28]
    assert np.array_equal(sample, explored.images[explored.samples[3][5]])
    assert not mosaic[4 * 31 : 4 * 31 + 28].any()
    assert [text.get_text() for text in axes.texts] == ["no image"]
    assert [text.get_text() for text in axes.get_yticklabels()] == class_names


def test_mean_images_share_one_scale(explored: Exploration, class_names: list[str]) -> None:
    figure = plots_pixels.mean_images(
        explored.class_images, explored.train.class_counts, class_names
    )
    means = figure.axes[:10]
    assert len({tile.images[0].get_clim() for tile in means}) == 1
    assert np.array_equal(means[6].images[0].get_array(), explored.class_images.means[6])


def test_intensities_are_shares_of_the_class(
    audits: dict[str, SplitAudit], class_names: list[str]
) -> None:
    figure = plots_pixels.pixel_intensity(audits, class_names)
    of_class_one = figure.axes[1]
    counts = audits["training"].histogram[1]
    told = of_class_one.patches[0].get_data()
    assert told.values.sum() == pytest.approx(1 - counts[0] / counts.sum())
    assert told.values[-1] == pytest.approx(counts[248:].sum() / counts.sum())
    assert len(figure.axes[0].patches) == 1


@pytest.mark.parametrize("split", ["whole", "few"])
def test_figures_are_whole_with_long_names_and_missing_classes(
    split: str,
    explored: Exploration,
    few: Split,
    long_class_names: Sequence[str],
    is_whole: Callable[[Figure], bool],
) -> None:
    found = audit.audit(few) if split == "few" else explored.train
    images = audit.class_images(few) if split == "few" else explored.class_images
    rows = audit.sample_rows(few.labels, 12, 0) if split == "few" else explored.samples
    for figure in (
        plots_pixels.class_balance({"training": found, "test": found}, long_class_names),
        plots_pixels.samples(explored.images, rows, long_class_names),
        plots_pixels.mean_images(images, found.class_counts, long_class_names),
        plots_pixels.pixel_intensity({"training": found, "test": found}, long_class_names),
    ):
        assert is_whole(figure)
