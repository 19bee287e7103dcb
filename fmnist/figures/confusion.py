"""Which classes are taken for which."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fmnist.evaluation import scores
from fmnist.figures.style import look, wrapped
from fmnist.results import CLASSES, Evaluation


def confusion_matrix(evaluation: Evaluation, class_names: Sequence[str]) -> Figure:
    """Counts of images by true and predicted class, coloured by their share of the true class.

    Args:
        class_names: the 10 names in label order.
    """
    counts = scores.confusion_counts(evaluation)
    # A class without images has a row of zeros, not of 0 / 0.
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [wrapped(name) for name in class_names]
    with look():
        figure = Figure(figsize=(7.4, 6.6), layout="constrained")
        axes = figure.add_subplot(xlabel="Predicted class", ylabel="True class")
        axes.set_title(
            f"{counts.trace():,} of {counts.sum():,} images correct "
            f"({scores.accuracy(evaluation):.2%})"
        )
        # The square root shows confusions of a few percent, which a linear scale leaves white.
        image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
        axes.set_xticks(
            range(CLASSES),
            labels,
            rotation=45,
            rotation_mode="anchor",
            ha="right",
            va="top",
            linespacing=1,
        )
        axes.set_yticks(range(CLASSES), labels)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        fills = image.to_rgba(shares)
        for (row, column), count in np.ndenumerate(counts):
            axes.text(
                column,
                row,
                str(count),
                ha="center",
                va="center",
                color=_ink_on(fills[row, column]),
                fontsize=9,
            )
        bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02, label="Share of the true class")
        bar.outline.set_visible(False)
        bar.set_ticks([0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1])
        bar.ax.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    return figure


def _ink_on(fill: npt.NDArray[np.float64]) -> str:
    """Black or white, whichever contrasts more with an sRGB fill by WCAG 2.2's contrast ratio."""
    linear = np.where(fill[:3] <= 0.04045, fill[:3] / 12.92, ((fill[:3] + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"
