"""Which pixels go together."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fmnist.plots.style import GRAY, PALETTE, plot_style
from fmnist.results.eda import ByDistance

_ABSENT = "#BBBBBB"


def correlation_heatmap(table: npt.NDArray[np.float64], by_distance: ByDistance) -> Figure:
    """Correlations of all pixels with each other, with the center, and by distance.

    Args:
        table: (784, 784) Pearson correlations, NaN for constant pixels, which are drawn gray.
        by_distance: what `table` comes to over pairs of equal distance.
    """
    side = round(np.sqrt(len(table)))
    center = (side // 2) * side + side // 2
    absent = int(np.isnan(np.diag(table)).sum())
    with plot_style():
        figure = Figure(figsize=(11, 7), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.75, 1], squeeze=False)[0]
        axes = left.add_subplot(xlabel="Pixel (28 row + column)", ylabel="Pixel")
        shown = axes.imshow(table, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        axes.set_facecolor(_ABSENT)
        told = f"{absent} constant pixels, gray" if absent else "no pixel is constant"
        axes.set_title(f"Correlation of the training pixels ({told})")
        axes.set_xticks(range(0, side * side, 4 * side))
        axes.set_yticks(range(0, side * side, 4 * side))
        axes.grid(visible=False)
        bar = left.colorbar(shown, ax=axes, shrink=0.8, pad=0.02, label="Pearson correlation")
        bar.outline.set_visible(False)

        top, bottom = right.subplots(2, 1)
        top.imshow(table[center].reshape(side, side), cmap="RdBu_r", vmin=-1, vmax=1)
        top.set_facecolor(_ABSENT)
        top.plot([side // 2], [side // 2], "x", color="black", markersize=6)
        top.set_title("With the center pixel (cross)")
        top.set_xticks([0, 7, 14, 21, 27])
        top.set_yticks([0, 7, 14, 21, 27])
        top.grid(visible=False)

        bottom.axhline(0, color=GRAY, linewidth=0.8)
        bottom.fill_between(
            by_distance.distances, by_distance.lower, by_distance.upper,
            color=PALETTE[0], alpha=0.2, linewidth=0, label="middle half of the pairs",
        )  # fmt: skip
        bottom.plot(by_distance.distances, by_distance.means, color=PALETTE[0], label="mean")
        bottom.set_xlabel("Distance between two pixels (pixels)")
        bottom.set_ylabel("Correlation")
        bottom.set_title("By distance")
        bottom.set_ylim(-1, 1)
        bottom.legend(loc="upper right")
    return figure
