"""The most confident mistakes as single images, for the image view of MLflow's UI."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from fmnist.data.idx import SIDE
from fmnist.evaluation import metrics
from fmnist.results.training import Evaluation

_SCALE: Final = 8
_LINE_PIXELS: Final = 18
_FONT_PIXELS: Final = 14
_LINES: Final = 3
_WIDTH: Final = SIDE * _SCALE


def draw_mistakes(
    images: npt.NDArray[np.uint8],
    evaluation: Evaluation,
    class_names: Sequence[str],
    count: int = 10,
) -> list[npt.NDArray[np.uint8]]:
    """Draw each of the most confident wrong predictions with its classes and probability.

    Args:
        images: (n, 28, 28) uint8, 0 is background; the evaluated images.
        class_names: the 10 names in label order.
        count: largest number of mistakes.

    Returns:
        Grayscale images (height, width) uint8, most confident first.
    """
    font = ImageFont.load_default(_FONT_PIXELS)
    drawn = []
    for row in metrics.mistakes(evaluation, count):
        label, predicted = evaluation.labels[row], evaluation.predicted[row]
        probability = evaluation.probabilities[row, predicted]
        picture = Image.new("L", (_WIDTH, _WIDTH + _LINES * _LINE_PIXELS + 4), 255)
        enlarged = Image.fromarray(255 - images[row]).resize((_WIDTH, _WIDTH), Image.Resampling.BOX)
        picture.paste(enlarged, (0, _LINES * _LINE_PIXELS + 4))
        draw = ImageDraw.Draw(picture)
        lines = (
            f"true: {class_names[label]}",
            f"predicted: {class_names[predicted]}",
            f"probability {probability:.1%}, test row {row}",
        )
        for number, line in enumerate(lines):
            draw.text((2, 2 + number * _LINE_PIXELS), line, fill=0, font=font)
        drawn.append(np.asarray(picture))
    return drawn
