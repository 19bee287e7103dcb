"""Figures of the principal components and of the t-SNE embedding."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmnist.plots.formatting import format_percent
from fmnist.plots.style import (
    GRAY,
    PALETTE,
    TEXT_COLOR,
    format_percent_ticks,
    plot_style,
    wrap,
)
from fmnist.results.eda import VARIANCE_FRACTIONS, Exploration

# Black, and nine colors that are visible as small dots on white. A random search maximized the
# smallest CIEDE2000 difference between two of them: 29 (tab10: 16), and 14 with simulated color
# blindness (Machado, Oliveira and Fernandes, 2009; tab10: 1). Tops overlap most and differ most.
CLASS_COLORS: Final = (
    "#0000FF", "#804000", "#00DFBF", "#DF9FFF", "#FF9F00",
    "#808000", "#9F2060", "#000000", "#FF8080", "#0080DF",
)  # fmt: skip
_LEGEND_LINES = 26


def pca(result: Exploration) -> Figure:
    """Plot all images by their scores on the first two principal components."""
    first, second = result.explained_variance[:2]
    with plot_style():
        figure, axes = _scatter(result.scores, result.labels, result.class_names)
        axes.set(
            xlabel=f"First component ({format_percent(first, 1)} of the variance)",
            ylabel=f"Second component ({format_percent(second, 1)})",
        )
        axes.set_title(
            f"PCA of {len(result.labels):,} images: "
            f"{format_percent(first + second, 1)} of the variance",
            loc="left",
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
            f"with the same label: {format_percent(quality.embedding_agreement, 1)} in the "
            f"embedding, {format_percent(quality.pixel_agreement, 1)} in pixel space",
            fontsize=10,
            loc="left",
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
                f"{format_percent(fraction, 0)}: {count:,}", (count, fraction), (-6, 5),
                ha="right", fontsize=9, textcoords="offset points", color=TEXT_COLOR,
            )  # fmt: skip
        axes.set(
            xlabel="Principal components (logarithmic)", ylabel="Explained variance",
            xscale="log", xlim=(0.8, len(counts)), ylim=(0, 1.06),
        )  # fmt: skip
        axes.xaxis.set_major_formatter("{x:.0f}")
        format_percent_ticks(axes.yaxis)
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
    few = classes <= len(CLASS_COLORS)
    colors = list(CLASS_COLORS) if few else seaborn.husl_palette(classes)
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
