"""Which figures a comparison has, under which names."""

import io
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest

from fmnist import names
from fmnist.comparison import plots
from tests.helpers.sample_comparisons import FOUR, LENET, compared

IMAGES = np.zeros((400, 28, 28), np.uint8)
OF_ONE = {
    names.FIGURE_ACCURACY_BY_EPOCH,
    names.FIGURE_CONVERGENCE,
    names.FIGURE_ACCURACY_VS_COST,
    names.FIGURE_PER_CLASS_COMPARISON,
}


def test_every_figure_is_a_picture_and_the_same_each_time() -> None:
    files = plots.files(compared(FOUR), IMAGES)

    assert set(files) == OF_ONE | {names.FIGURE_CONFUSION_DIFFERENCE, names.FIGURE_DISAGREEMENTS}
    for content in files.values():
        assert min(matplotlib.image.imread(io.BytesIO(content)).shape[:2]) > 300
    assert plots.files(compared(FOUR), IMAGES) == files


def test_without_images_or_a_second_model_some_are_left_out() -> None:
    two = plots.files(compared(FOUR[:2]), None)
    one = plots.files(compared([LENET]), IMAGES)

    assert set(two) == OF_ONE | {names.FIGURE_CONFUSION_DIFFERENCE}
    assert set(one) == OF_ONE


@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize("epochs", [1, 4])
def test_short_and_unvalidated_histories_are_drawn(epochs: int, validated: bool) -> None:
    models = [replace(made, epochs=epochs, validated=validated) for made in FOUR[1:3]]

    assert names.FIGURE_CONVERGENCE in plots.files(compared(models), None)
