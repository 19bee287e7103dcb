import io

import matplotlib.image
from matplotlib.figure import Figure

from fmnist.plots.encoding import png
from fmnist.plots.style import look


def test_png_has_the_size_and_resolution_of_the_figure() -> None:
    with look():
        figure = Figure(figsize=(4, 2))

    encoded = png(figure)

    assert matplotlib.image.imread(io.BytesIO(encoded)).shape == (300, 600, 4)


def test_the_same_figure_gives_the_same_bytes() -> None:
    figure = Figure(figsize=(1, 1))

    assert png(figure) == png(figure)
