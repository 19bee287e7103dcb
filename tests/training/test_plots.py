from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from fmnist import names
from fmnist.evaluation import metrics
from fmnist.results.training import CLASSES, Evaluation, History
from fmnist.training.plots import draw_mistakes, plot_history, plot_mistakes

Images = npt.NDArray[np.uint8]
FitsCanvas = Callable[[Figure], bool]
Overlapping = Callable[[list[Text]], list[tuple[str, str]]]
COLUMNS = (names.TRAIN_LOSS, names.TRAIN_ACCURACY, names.VAL_LOSS, names.VAL_ACCURACY)
ROWS = ((0.70, 0.75, 0.60, 0.79), (0.50, 0.82, 0.45, 0.84), (0.40, 0.86, 0.48, 0.85))
LENET = History(tuple(dict(zip(COLUMNS, values, strict=True)) for values in ROWS))
UNVALIDATED = History(
    tuple({names.TRAIN_LOSS: 1 / epoch, names.TRAIN_ACCURACY: 0.5} for epoch in range(1, 6))
)


def get_lines(figure: Figure) -> dict[str, list[tuple[float, float]]]:
    """The points of each line by its label on one line."""
    [axes] = figure.axes
    return {
        str(line.get_label()).replace("\n", " "): [
            tuple(point) for point in np.asarray(line.get_xydata()).tolist()
        ]
        for line in axes.lines
    }


def test_lines_are_the_metrics_and_the_ring_is_the_evaluated_epoch() -> None:
    # Epoch 3 has the highest validation accuracy, but the weights of epoch 2 are kept.
    assert get_lines(plot_history(LENET, "accuracy", "lenet5", 2)) == {
        "training (mean during the epoch)": [(1, 0.75), (2, 0.82), (3, 0.86)],
        "validation": [(1, 0.79), (2, 0.84), (3, 0.85)],
        "evaluated: epoch 2 (lowest validation loss)": [(2, 0.84)],
    }
    assert get_lines(plot_history(LENET, "loss", "lenet5", 3, "training, with dropout")) == {
        "training, with dropout": [(1, 0.70), (2, 0.50), (3, 0.40)],
        "validation": [(1, 0.60), (2, 0.45), (3, 0.48)],
        "evaluated: epoch 3": [(3, 0.48)],
    }


@pytest.mark.parametrize("quantity", ["accuracy", "loss"])
@pytest.mark.parametrize("history", [LENET, UNVALIDATED, History(LENET.rows[:1])])
def test_curves_are_not_clipped_and_the_legend_covers_no_data(
    quantity: str,
    history: History,
    fits_canvas: FitsCanvas,
    overlapping: Overlapping,
) -> None:
    model = "resnet50 IMAGENET WEIGHTS, 0.4 $dropout, and MORE WORDS THAN FIT INTO ONE LINE"
    handicaps = "training (mean during the epoch, with dropout, augmentation, label smoothing)"
    figure = plot_history(history, quantity, model, history.epochs, handicaps)
    assert fits_canvas(figure)
    [axes], [legend] = figure.axes, figure.legends
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())
    assert not overlapping(legend.get_texts())
    assert len(axes.lines) == 2 + ("validation" in get_lines(figure))
    assert axes.get_title("left").replace("\n", " ") == model


def test_the_most_confident_mistakes_are_shown(
    images: Images, evaluation: Evaluation, class_names: list[str]
) -> None:
    figure = plot_mistakes(images, evaluation, class_names, count=7)
    [axes] = figure.axes
    pictures = draw_mistakes(images, evaluation, class_names, count=7)
    rows = metrics.mistakes(evaluation, 7)
    for image, picture, row in zip(axes.images, pictures, rows, strict=True):
        assert np.array_equal(np.asarray(image.get_array()), images[row])
        assert image.get_clim() == (0, 255)
        assert np.array_equal(picture[-28 * 8 :: 8, ::8], 255 - images[row])


def test_titles_contain_both_classes_probability_and_row(class_names: list[str]) -> None:
    probabilities = np.full((3, CLASSES), 0.01, np.float32)
    probabilities[:, 4] = 0.91
    evaluation = Evaluation(np.array([4, 8, 4]), probabilities)
    figure = plot_mistakes(np.zeros((3, 28, 28), np.uint8), evaluation, class_names)
    [axes] = figure.axes
    assert [text.get_text() for text in axes.texts] == ["class 8\n→ class 4\n91.0 %, row 1"]
    assert "1 most confident of 1" in figure.get_suptitle()


@pytest.mark.parametrize("count", [1, 6, 31])
def test_long_names_fit_and_do_not_overlap(
    count: int,
    images: Images,
    evaluation: Evaluation,
    long_class_names: list[str],
    fits_canvas: FitsCanvas,
    overlapping: Overlapping,
) -> None:
    figure = plot_mistakes(images, evaluation, long_class_names, count)
    assert fits_canvas(figure)
    [axes] = figure.axes
    assert len(axes.texts) == count
    assert not overlapping(list(axes.texts))


def test_a_model_without_mistakes(class_names: list[str], fits_canvas: FitsCanvas) -> None:
    labels = np.arange(1200, dtype=np.int64) % CLASSES
    perfect = Evaluation(labels, np.eye(CLASSES, dtype=np.float32)[labels])
    figure = plot_mistakes(np.zeros((1200, 28, 28), np.uint8), perfect, class_names)
    assert "No mistakes in 1,200 images" in [text.get_text() for text in figure.texts]
    assert fits_canvas(figure)
