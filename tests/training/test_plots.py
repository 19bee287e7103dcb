from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from fmnist.evaluation import metrics
from fmnist.results.training import CLASSES, Evaluation
from fmnist.training.plots import plot_mistakes

Images = npt.NDArray[np.uint8]


def blank(rows: int) -> Images:
    return np.zeros((rows, 28, 28), np.uint8)


def test_the_most_confident_mistakes_are_shown(
    images: Images, evaluation: Evaluation, class_names: list[str]
) -> None:
    figure = plot_mistakes(images, evaluation, class_names, count=7)
    [axes] = figure.axes
    shown = axes.images
    assert len(shown) == 7
    for image, row in zip(shown, metrics.mistakes(evaluation, 7), strict=True):
        assert np.array_equal(np.asarray(image.get_array()), images[row])
        assert image.get_clim() == (0, 255)


def test_titles_contain_both_classes_probability_and_row(class_names: list[str]) -> None:
    probabilities = np.full((3, CLASSES), 0.01, np.float32)
    probabilities[:, 4] = 0.91
    figure = plot_mistakes(blank(3), Evaluation(np.array([4, 8, 4]), probabilities), class_names)
    [axes] = figure.axes
    assert [text.get_text() for text in axes.texts] == ["class 8\n→ class 4\n91.0 %, row 1"]
    assert "1 most confident of 1" in figure.get_suptitle()
    assert "inverted" in figure.get_suptitle()


@pytest.mark.parametrize("count", [1, 6, 31])
def test_long_names_fit_and_do_not_overlap(
    count: int,
    images: Images,
    evaluation: Evaluation,
    long_class_names: list[str],
    fits_canvas: Callable[[Figure], bool],
    overlapping: Callable[[list[Text]], list[tuple[str, str]]],
) -> None:
    figure = plot_mistakes(images, evaluation, long_class_names, count)
    assert fits_canvas(figure)
    [axes] = figure.axes
    assert len(axes.texts) == count
    assert not overlapping(list(axes.texts))


def test_a_model_without_mistakes(
    class_names: list[str], fits_canvas: Callable[[Figure], bool]
) -> None:
    labels = np.arange(1200, dtype=np.int64) % CLASSES
    perfect = Evaluation(labels, np.eye(CLASSES, dtype=np.float32)[labels])
    figure = plot_mistakes(blank(1200), perfect, class_names)
    assert "No mistakes in 1,200 images" in [text.get_text() for text in figure.texts]
    assert fits_canvas(figure)
    with pytest.raises(ValueError, match="1,200 evaluated images, got 1,199"):
        plot_mistakes(blank(1199), perfect, class_names)
