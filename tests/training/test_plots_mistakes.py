from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from fmnist.evaluation import metrics
from fmnist.results.training import CLASSES, Evaluation
from fmnist.training import plots_mistakes

Images = npt.NDArray[np.uint8]


def perfect(rows: int) -> Evaluation:
    labels = np.arange(rows, dtype=np.int64) % CLASSES
    return Evaluation(labels, np.eye(CLASSES, dtype=np.float32)[labels])


def test_tiles_are_the_most_confident_mistakes(
    images: Images, evaluation: Evaluation, class_names: list[str]
) -> None:
    figure = plots_mistakes.mistakes(images, evaluation, class_names, count=7)

    rows = metrics.mistakes(evaluation, 7)
    shown = [tile for tile in figure.axes if tile.images]
    assert len(shown) == 7
    for tile, row in zip(shown, rows, strict=True):
        assert np.array_equal(np.asarray(tile.images[0].get_array()), images[row])
        assert tile.images[0].get_clim() == (0, 255)


def test_titles_say_truth_answer_probability_and_row(class_names: list[str]) -> None:
    probabilities = np.full((3, CLASSES), 0.01, np.float32)
    probabilities[:, 4] = 0.91
    evaluation = Evaluation(np.array([4, 8, 4]), probabilities)

    figure = plots_mistakes.mistakes(np.zeros((3, 28, 28), np.uint8), evaluation, class_names)

    (tile,) = figure.axes
    assert tile.get_title() == "class 8\n→ class 4\n91.0%, row 1"
    assert figure.get_suptitle().startswith("Mistakes: 1 most confident of 1")


@pytest.mark.parametrize("count", [1, 4, 6, 25, 31])
def test_long_names_are_whole_and_apart(
    count: int,
    images: Images,
    evaluation: Evaluation,
    long_class_names: list[str],
    is_whole: Callable[[Figure], bool],
    overlapping: Callable[[list[Text]], list[tuple[str, str]]],
) -> None:
    figure = plots_mistakes.mistakes(images, evaluation, long_class_names, count)

    assert is_whole(figure)
    titles = [tile.title for tile in figure.axes if tile.images]
    assert len(titles) == count
    assert not overlapping(titles)


def test_no_mistakes_are_said_in_words(
    class_names: list[str], is_whole: Callable[[Figure], bool]
) -> None:
    figure = plots_mistakes.mistakes(np.zeros((1200, 28, 28), np.uint8), perfect(1200), class_names)

    assert [text.get_text() for text in figure.texts] == ["No mistakes in 1,200 images"]
    assert not figure.axes
    assert is_whole(figure)


def test_images_of_another_evaluation_are_refused(class_names: list[str]) -> None:
    with pytest.raises(ValueError, match="wanted the 20 evaluated images, got 19"):
        plots_mistakes.mistakes(np.zeros((19, 28, 28), np.uint8), perfect(20), class_names)
