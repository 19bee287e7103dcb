"""Images as points in a plane, colored by class."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from fmnist.plots.style import GRAY, PALETTE, TEXT_COLOR, plot_style, wrap
from fmnist.results.training import CLASSES

# Ten colors that stay apart as dots: Tableau's, its gray made black.
_COLOURS: Final = (
    "#4E79A7", "#F28E2B", "#E15759", "#76B7B2", "#59A14F",
    "#EDC948", "#B07AA1", "#FF9DA7", "#9C755F", "#222222",
)  # fmt: skip

# Points and size: this many dots of one square point would just cover the axes.
_INK_POINTS: Final = 120_000


def pca(
    scores: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8],
    shares: npt.NDArray[np.float64],
    class_names: Sequence[str],
) -> Figure:
    """The first two principal components of each image.

    Args:
        scores: (n, 2 or more) scores on the components.
        labels: (n,) class of each image.
        shares: each component's share of the variance.
    """
    with plot_style():
        figure, axes = _scatter(scores[:, :2], labels, class_names)
        axes.set_xlabel(f"First component ({shares[0]:.1%} of the variance)")
        axes.set_ylabel(f"Second component ({shares[1]:.1%})")
        axes.set_title(f"PCA of {len(labels):,} images: two components hold {shares[:2].sum():.1%}")
    return figure


def tsne(
    points: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8],
    told: str,
    class_names: Sequence[str],
) -> Figure:
    """A t-SNE layout (n, 2); `told` is a line of numbers on how good it is."""
    with plot_style():
        figure, axes = _scatter(points, labels, class_names)
        axes.set_title(f"t-SNE of {len(labels):,} images: {told}", fontsize=10)
        axes.spines[:].set_visible(False)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal")
    return figure


def pca_variance(shares: npt.NDArray[np.float64], needed: dict[float, int]) -> Figure:
    """Variance held by the first components together.

    Args:
        shares: (p,) each component's share of the variance.
        needed: for each share of interest, how many components reach it.
    """
    counts = np.arange(1, len(shares) + 1)
    with plot_style():
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.add_subplot(
            xlabel="Principal components (logarithmic)", ylabel="Share of the variance"
        )
        axes.plot(counts, np.cumsum(shares), color=PALETTE[0], label="together")
        axes.plot(counts, shares, color=PALETTE[4], label="each")
        for share, count in needed.items():
            axes.plot([count, count], [0, share], color=GRAY, linestyle=":", linewidth=1)
            axes.plot([count], [share], "o", color=PALETTE[1])
            axes.annotate(
                f"{share:.0%}: {count:,}", (count, share), (-6, 5), textcoords="offset points",
                ha="right", fontsize=9, color=TEXT_COLOR,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(0.8, len(shares))
        axes.set_ylim(0, 1.06)
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        axes.legend(loc="center left", bbox_to_anchor=(0.02, 0.62))
    return figure


def _scatter(
    points: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8], class_names: Sequence[str]
) -> tuple[Figure, Axes]:
    """Dots in an order of chance, so that no class lies on top, small enough to leave gaps."""
    order = np.random.default_rng(0).permutation(len(points))
    figure = Figure(figsize=(9.4, 7.4), layout="constrained")
    axes = figure.add_subplot()
    colors = np.array(_COLOURS)[labels[order]]
    size = float(np.clip(_INK_POINTS / len(points), 0.6, 30))
    axes.scatter(points[order, 0], points[order, 1], s=size, c=colors, linewidths=0, alpha=0.75)
    axes.grid(visible=False)
    counts = np.bincount(labels, minlength=CLASSES)
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=7, color=_COLOURS[label],
               label=wrap(class_names[label]))
        for label in range(CLASSES) if counts[label]
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside right center", handlelength=1)
    return figure, axes
