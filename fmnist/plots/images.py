"""Grids of dataset images with captions."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fmnist.plots.style import TEXT_COLOR, plot_style

# The images are bright on a black background; dark on white, they need less ink and fit the page.
INVERTED: Final = "inverted: 0 is white, 255 is black"

_MARGIN: Final = 8  # between columns, in pixels of the images
_LINE_MARGIN: Final = 4  # between an image and the caption below it
_LINE_HEIGHT: Final = 3.4  # of a caption
_INCHES_PER_PIXEL: Final = 0.044
_TITLE_LINE_INCHES: Final = 0.2


def plot_image_grid(
    images: npt.NDArray[np.uint8],
    captions: Sequence[str],
    title: str,
    columns: int = 5,
    frames: Sequence[str] = (),
) -> Figure:
    """Plot images row by row, each with its caption above.

    Args:
        images: (n, height, width) uint8, 0 is background; they are drawn inverted. If n is 0, the
            figure contains only the title.
        captions: one per image, all with the same number of lines.
        title: of the figure, left-aligned.
        frames: color of the frame and the caption of each image; without frames by default.
    """
    titles = title.splitlines()
    if not len(images):
        return plot_message(title)
    height, width = images.shape[1:]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    caption = _LINE_HEIGHT * (1 + max(text.count("\n") for text in captions)) + 2
    cell_width, cell_height = width + _MARGIN, height + caption + _LINE_MARGIN
    with plot_style():
        size = (
            max(5.5, cell_width * columns * _INCHES_PER_PIXEL),
            cell_height * rows * _INCHES_PER_PIXEL + _TITLE_LINE_INCHES * (len(titles) + 1),
        )
        figure = Figure(figsize=size, layout="constrained")
        figure.suptitle("\n".join([*titles, f"images {INVERTED}"]), x=0.01, ha="left", fontsize=10)
        # One axes for all images: axes of their own would take most of the time of this figure.
        axes = figure.add_subplot()
        axes.set_axis_off()
        for place, (image, text) in enumerate(zip(images, captions, strict=True)):
            left, top = cell_width * (place % columns), cell_height * (place // columns)
            extent = (left, left + width, top + height, top)
            axes.imshow(image, cmap="gray_r", vmin=0, vmax=255, extent=extent)
            color = frames[place] if frames else TEXT_COLOR
            axes.text(left, top - 1, text, fontsize=8, va="bottom", color=color)
            if frames:
                axes.add_patch(Rectangle((left, top), width, height, fill=False, color=color))
        axes.set_xlim(-1, cell_width * columns - 1)
        axes.set_ylim(cell_height * rows - caption, -caption)
    return figure


def plot_message(text: str) -> Figure:
    """A figure that states why there is nothing to plot."""
    with plot_style():
        figure = Figure(figsize=(6, 1), layout="constrained")
        figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure
