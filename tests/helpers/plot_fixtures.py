"""A small evaluation with mistakes, and checks of the layout of figures."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from fmnist.results.training import CLASSES, Evaluation


@pytest.fixture
def class_names() -> list[str]:
    return [f"class {label}" for label in range(CLASSES)]


@pytest.fixture
def long_class_names() -> list[str]:
    """Five names of 25 characters, mostly capitals, and five that no figure has space for."""
    capitals = [f"CAPITALS AND {digit} DOLLARS $$" for digit in range(5)]
    return capitals + [
        f"Number {digit}, quite long in words, " + "and longer " * 5 for digit in range(5)
    ]


@pytest.fixture
def evaluation() -> Evaluation:
    """2,000 images of all classes, about a quarter of them misclassified."""
    rng = np.random.default_rng(0)
    labels = np.arange(2000, dtype=np.int64) % CLASSES
    logits = 3 * np.eye(CLASSES)[labels] + rng.gumbel(size=(2000, CLASSES))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Evaluation(labels, probabilities.astype(np.float32))


@pytest.fixture
def images(evaluation: Evaluation) -> npt.NDArray[np.uint8]:
    """(2000, 28, 28) uint8 noise."""
    shape = (len(evaluation.labels), 28, 28)
    return np.random.default_rng(1).integers(256, size=shape, dtype=np.uint8)


@pytest.fixture
def fits_canvas() -> Callable[[Figure], bool]:
    """Whether everything that a figure draws, including text, is inside its canvas."""

    def check(figure: Figure) -> bool:
        figure.draw_without_rendering()
        drawn, canvas = figure.get_tightbbox(), figure.bbox_inches
        return bool(
            drawn.x0 >= canvas.x0
            and drawn.y0 >= canvas.y0
            and drawn.x1 <= canvas.x1
            and drawn.y1 <= canvas.y1
        )

    return check


@pytest.fixture
def overlapping() -> Callable[[list[Text]], list[tuple[str, str]]]:
    """The pairs of strings that overlap in a figure that has been drawn."""

    def pairs(texts: list[Text]) -> list[tuple[str, str]]:
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
        return [
            (one, other)
            for (one, one_box), (other, other_box) in combinations(boxes, 2)
            if Bbox.intersection(one_box, other_box) is not None
        ]

    return pairs
