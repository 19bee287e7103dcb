"""Figures as bytes, for whoever stores them."""

import io

from matplotlib.figure import Figure

from fmnist.plots.style import look


def png(figure: Figure) -> bytes:
    """The figure as a PNG file of its own size and resolution."""
    buffer = io.BytesIO()
    with look():
        figure.savefig(buffer, format="png")
    return buffer.getvalue()
