"""Figures of pixel correlations, principal components and the t-SNE embedding."""

from collections.abc import Sequence
from math import isqrt

import numpy as np
import numpy.typing as npt
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fmnist.plots.style import GRAY, PALETTE, TEXT_COLOR, plot_style, wrap
from fmnist.results.eda import VARIANCE_FRACTIONS, Exploration

# Ten colors that remain distinct as small dots; black replaces the gray of tab10.
_TAB10 = seaborn.color_palette("tab10")
_CLASS_COLORS = [*_TAB10[:7], (0, 0, 0), *_TAB10[8:]]
_LEGEND_LINES = 26
_CONSTANT_PIXEL_COLOR = "#BBBBBB"


def correlation_heatmap(result: Exploration) -> Figure:
    """Plot the correlations of all pixels, with the center pixel, and by distance."""
    correlations, by_distance = result.correlations, result.correlation_by_distance
    side = isqrt(len(correlations))
    center = (side // 2) * side + side // 2
    constant = len(result.constant_pixels)
    with plot_style():
        figure = Figure(figsize=(11, 6.6), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.75, 1], squeeze=False)[0]
        axes = left.add_subplot()
        top, bottom = right.subplots(2, 1)
        for panel, table, ticks in (
            (axes, correlations, range(0, side * side, 4 * side)),
            (top, correlations[center].reshape(side, side), range(0, side, 7)),
        ):
            seaborn.heatmap(
                table, cmap="RdBu_r", vmin=-1, vmax=1, square=True, cbar=panel is axes, ax=panel,
                cbar_kws={"shrink": 0.8, "pad": 0.02, "label": "Pearson correlation"},
            )  # fmt: skip
            panel.set_facecolor(_CONSTANT_PIXEL_COLOR)
            panel.grid(visible=False)
            panel.set_xticks(np.array(ticks) + 0.5, ticks, rotation=0)
            panel.set_yticks(np.array(ticks) + 0.5, ticks, rotation=0)
        gray = f"{constant} constant pixels, gray" if constant else "no pixel is constant"
        axes.set(
            title=f"Correlation of the training pixels ({gray})",
            xlabel="Pixel (28 x row + column)",
            ylabel="Pixel",
        )
        top.plot(side // 2 + 0.5, side // 2 + 0.5, "x", color="black", markersize=6)
        top.set_title("Correlation with the center pixel (cross)")
        distance = by_distance["distance"]
        seaborn.lineplot(
            x=distance, y=by_distance["mean"], color=PALETTE[0], label="mean", ax=bottom
        )
        bottom.fill_between(
            distance, by_distance["lower_quartile"], by_distance["upper_quartile"],
            color=PALETTE[0], alpha=0.2, linewidth=0, label="middle half of the pairs",
        )  # fmt: skip
        bottom.axhline(0, color=GRAY, linewidth=0.8)
        bottom.set(
            title="By distance",
            xlabel="Distance between two pixels (pixels)",
            ylabel="Pearson correlation",
        )
        bottom.legend(loc="upper right")
    return figure


def pca(result: Exploration) -> Figure:
    """Plot all images by their scores on the first two principal components."""
    first, second = result.explained_variance[:2]
    with plot_style():
        figure, axes = _scatter(result.scores, result.labels, result.class_names)
        axes.set(
            title=f"PCA of {len(result.labels):,} images: {first + second:.1%} of the variance",
            xlabel=f"First component ({first:.1%} of the variance)",
            ylabel=f"Second component ({second:.1%})",
        )
    return figure


def tsne(result: Exploration) -> Figure:
    """Plot the images by their position in the t-SNE embedding."""
    embedding, quality = result.embedding, result.quality
    labels = result.labels[result.tsne_rows]
    with plot_style():
        figure, axes = _scatter(embedding.points, labels, result.class_names)
        axes.set_title(
            f"t-SNE of {len(labels):,} images: KL divergence {embedding.kl_divergence:.3f}, "
            f"trustworthiness {quality.trustworthiness:.3f}\n{quality.neighbors} nearest neighbors "
            f"with the same label: {quality.embedding_agreement:.1%} in the embedding, "
            f"{quality.pixel_agreement:.1%} in pixel space",
            fontsize=10,
        )
        axes.spines[:].set_visible(False)
        axes.set(xticks=[], yticks=[], aspect="equal")
    return figure


def pca_variance(result: Exploration) -> Figure:
    """Plot the variance explained by each component and by all components up to it."""
    explained_variance = result.explained_variance
    counts = np.arange(1, len(explained_variance) + 1)
    with plot_style():
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.add_subplot()
        cumulative = np.cumsum(explained_variance)
        for values, color, label in (
            (cumulative, PALETTE[0], "cumulative"),
            (explained_variance, PALETTE[4], "single component"),
        ):
            seaborn.lineplot(x=counts, y=values, color=color, label=label, ax=axes)
        for fraction in VARIANCE_FRACTIONS:
            count = result.components_for(fraction)
            axes.plot([count, count], [0, fraction], color=GRAY, linestyle=":", linewidth=1)
            axes.plot(count, fraction, "o", color=PALETTE[1])
            axes.annotate(
                f"{fraction:.0%}: {count:,}", (count, fraction), (-6, 5), ha="right", fontsize=9,
                textcoords="offset points", color=TEXT_COLOR,
            )  # fmt: skip
        axes.set(
            xlabel="Principal components (logarithmic)", ylabel="Explained variance",
            xscale="log", xlim=(0.8, len(counts)), ylim=(0, 1.06),
        )  # fmt: skip
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        axes.legend(loc="upper left")
    return figure


def _scatter(
    points: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8], class_names: Sequence[str]
) -> tuple[Figure, Axes]:
    """Plot points (n, 2 or more) in random order, so that no class covers another."""
    figure = Figure(figsize=(9.4, 7.4), layout="constrained")
    axes = figure.add_subplot()
    order = np.random.default_rng(0).permutation(len(points))
    classes = len(class_names)
    colors = _CLASS_COLORS
    if classes > len(colors):
        colors = seaborn.husl_palette(classes)
    seaborn.scatterplot(
        x=points[order, 0], y=points[order, 1], hue=labels[order], hue_order=range(classes),
        palette=colors[:classes], s=float(np.clip(120_000 / len(points), 0.6, 30)), linewidth=0,
        alpha=0.75, ax=axes,
    )  # fmt: skip
    axes.grid(visible=False)
    handles, _ = axes.get_legend_handles_labels()
    axes.legend_ = None
    present = np.unique(labels)
    for handle in handles:
        handle.set(markersize=7, alpha=1)
    figure.legend(
        [handles[label] for label in present], [wrap(class_names[label]) for label in present],
        loc="outside right center", handlelength=1, ncols=-(-len(present) // _LEGEND_LINES),
    )  # fmt: skip
    return figure, axes
