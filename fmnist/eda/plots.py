"""Figures of the exploratory data analysis."""

from collections.abc import Mapping, Sequence
from math import isqrt

import numpy as np
import numpy.typing as npt
import pandas as pd
import seaborn
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from fmnist.plots.style import GRAY, PALETTE, TEXT_COLOR, plot_style, wrap
from fmnist.results.eda import VALUES, Embedding, EmbeddingQuality, Exploration, Floats, SplitAudit
from fmnist.results.training import CLASSES

# Ten colors that remain distinct as small dots; black replaces the gray of tab10.
_TAB10 = seaborn.color_palette("tab10")
_CLASS_COLORS = [*_TAB10[:7], (0, 0, 0), *_TAB10[8:]]
_DIFFERENT_LABELS_COLOR = "#C00000"
_CONSTANT_PIXEL_COLOR = "#BBBBBB"
_MAX_PAIRS = 20
_PAIRS_PER_ROW = 5
_HISTOGRAM_BIN = 8  # pixel values


def class_balance(audits: Mapping[str, SplitAudit], class_names: Sequence[str]) -> Figure:
    """Plot the number of images of each class, one panel for each split."""
    with plot_style():
        figure = Figure(figsize=(8, 4), layout="constrained")
        panels = figure.subplots(1, len(audits), sharey=True, squeeze=False)[0]
        for axes, (split, result), color in zip(panels, audits.items(), PALETTE, strict=False):
            counts = result.class_counts
            seaborn.barplot(
                x=counts, y=np.arange(CLASSES), orient="h", color=color, saturation=1, width=0.7,
                ax=axes,
            )  # fmt: skip
            axes.bar_label(axes.containers[0], [f"{n:,}" for n in counts], padding=3, fontsize=9)
            axes.set(title=f"{split}: {result.rows:,} images", xlabel="Images", ylabel="")
            axes.set_xlim(0, 1.2 * counts.max())
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axes.grid(visible=False, axis="y")
        panels[0].set_yticks(range(CLASSES), [wrap(name) for name in class_names])
    return figure


def samples(
    images: npt.NDArray[np.uint8], rows: Mapping[int, Sequence[int]], class_names: Sequence[str]
) -> Figure:
    """Plot some images of each class, one class per line.

    Args:
        images: (n, 28, 28) uint8, 0 is background.
        rows: rows of the images to show for each label.
    """
    cell = images.shape[1] + 3
    columns = max(map(len, rows.values()))
    mosaic = np.zeros((CLASSES * cell, columns * cell), np.uint8)
    for label, label_rows in rows.items():
        for column, row in enumerate(label_rows):
            top, left = label * cell, column * cell
            mosaic[top : top + images.shape[1], left : left + images.shape[2]] = images[row]
    with plot_style():
        figure = Figure(figsize=(1.8 + 0.68 * columns, 6.8), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(mosaic, cmap="gray_r", vmin=0, vmax=255)
        _hide_axes(axes)
        centers = np.arange(CLASSES) * cell + images.shape[1] / 2
        axes.set_yticks(centers, [wrap(name, 18) for name in class_names])
        axes.tick_params(length=0)
        for label, label_rows in rows.items():
            if not label_rows:
                axes.text(0, centers[label], "no image", va="center", fontsize=8, color=GRAY)
    return figure


def mean_images(means: Floats, stds: Floats, class_names: Sequence[str]) -> Figure:
    """Plot the mean and the standard deviation image of each class; white is 0 in both.

    Args:
        means, stds: (10, 28, 28), NaN for a class without images.
    """
    with plot_style():
        figure = Figure(figsize=(11, 2.8), layout="constrained")
        lines = figure.subplots(2, CLASSES)
        for images, line, label, colormap in (
            (means, lines[0], "Mean", "Greys"),
            (stds, lines[1], "Std. dev.", "Purples"),
        ):
            largest = max(float(np.nanmax(images)), 1.0)
            for axes, image in zip(line, images, strict=True):
                _hide_axes(axes)
                drawn = axes.imshow(image, cmap=colormap, vmin=0, vmax=largest)
                if np.isnan(image).all():
                    axes.text(14, 14, "no image", ha="center", va="center", fontsize=8, color=GRAY)
            line[0].set_ylabel(label, fontsize=10)
            bar = figure.colorbar(drawn, ax=line, pad=0.01, aspect=10, label="Pixel value")
            bar.outline.set_visible(False)
        for axes, name in zip(lines[0], class_names, strict=True):
            axes.set_title(wrap(name, 12), fontsize=9)
    return figure


def pixel_intensity(audits: Mapping[str, SplitAudit], class_names: Sequence[str]) -> Figure:
    """Plot the histogram of the nonzero pixel values of each class; titles give the zeros."""
    with plot_style():
        figure = Figure(figsize=(11, 5), layout="constrained")
        panels = figure.subplots(2, CLASSES // 2, sharex=True, sharey=True).ravel()
        for label, axes in enumerate(panels):
            zeros = []
            for (split, result), color, style in zip(
                audits.items(), PALETTE, ("-", "--"), strict=False
            ):
                counts = result.histogram[label]
                if not counts.any():
                    continue
                # Zeros are much more frequent than any other value.
                seaborn.histplot(
                    {"value": np.arange(1, VALUES), "fraction": counts[1:] / counts.sum()},
                    x="value", weights="fraction", bins=list(range(0, VALUES + 1, _HISTOGRAM_BIN)),
                    element="step", fill=False, color=color, linestyle=style, linewidth=1.3,
                    label=split, ax=axes,
                )  # fmt: skip
                zeros.append(f"{counts[0] / counts.sum():.0%}")
            title = f"0 in {' / '.join(zeros)} of pixels" if zeros else "no image"
            axes.set_title(f"{wrap(class_names[label], 22)}\n{title}", fontsize=9)
            axes.set(xlabel="", ylabel="", xlim=(0, VALUES), xticks=[0, 64, 128, 192, 255])
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
        figure.supxlabel("Pixel value (1 to 255; 0 is background)", fontsize=10)
        figure.supylabel(f"Pixels of the class per {_HISTOGRAM_BIN} values", fontsize=10)
        legend: dict[str, Artist] = {}
        for axes in panels:
            handles, labels = axes.get_legend_handles_labels()
            legend |= dict(zip(labels, handles, strict=True))
        figure.legend(list(legend.values()), list(legend), loc="outside upper right", ncols=2)
    return figure


def correlation_heatmap(correlations: Floats, by_distance: pd.DataFrame) -> Figure:
    """Plot the correlations of all pixels, with the center pixel, and by distance.

    Args:
        correlations: (784, 784), NaN for constant pixels, which are gray.
        by_distance: see `embedding.summarize_by_distance`.
    """
    side = isqrt(len(correlations))
    center = (side // 2) * side + side // 2
    constant = int(np.isnan(np.diag(correlations)).sum())
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


def pca(
    scores: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8],
    explained_variance: npt.NDArray[np.floating],
    class_names: Sequence[str],
) -> Figure:
    """Plot the images by their scores (n, 2 or more) on the first two principal components."""
    first, second = explained_variance[:2]
    with plot_style():
        figure, axes = _scatter(scores, labels, class_names)
        axes.set(
            title=f"PCA of {len(labels):,} images: two components explain {first + second:.1%} of "
            "the variance",
            xlabel=f"First component ({first:.1%} of the variance)",
            ylabel=f"Second component ({second:.1%})",
        )
    return figure


def tsne(
    embedding: Embedding,
    quality: EmbeddingQuality,
    labels: npt.NDArray[np.uint8],
    class_names: Sequence[str],
) -> Figure:
    """Plot the images by their position in the t-SNE embedding."""
    with plot_style():
        figure, axes = _scatter(embedding.points, labels, class_names)
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


def pca_variance(
    explained_variance: npt.NDArray[np.floating], components: Mapping[float, int]
) -> Figure:
    """Plot the variance explained by each component and by all components up to it.

    Args:
        components: number of components that explain each fraction to be marked.
    """
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
        for fraction, count in components.items():
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


def near_duplicates(result: Exploration) -> Figure:
    """Plot evenly spaced pairs of near-duplicates, most similar first, one frame per pair."""
    near = result.near
    with plot_style():
        if not len(near):
            figure = Figure(figsize=(6, 1), layout="constrained")
            message = (
                f"No near-duplicates (structural similarity of at least {near.min_similarity})"
            )
            figure.text(0.5, 0.5, message, ha="center", va="center")
            return figure
        shown = np.unique(np.linspace(0, len(near) - 1, _MAX_PAIRS).round().astype(int))
        columns = min(len(shown), _PAIRS_PER_ROW)
        lines = -(-len(shown) // columns)
        figure = Figure(figsize=(max(6, 2.4 * columns), 0.7 + 1.6 * lines), layout="constrained")
        figure.suptitle(
            f"Near-duplicates: {len(shown)} of {len(near):,} pairs with a structural similarity of "
            f"at least {near.min_similarity}\n"
            "left: test image, right: training image; red: different labels",
            fontsize=10,
        )
        panels = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes in panels[len(shown) :]:
            axes.set_axis_off()
        for axes, pair, test_label, train_label in zip(
            panels, shown, *(labels[shown] for labels in result.near_labels()), strict=False
        ):
            test_row, train_row = near.test[pair], near.train[pair]
            images = result.images[result.train.rows + test_row], result.images[train_row]
            same = test_label == train_label
            color = TEXT_COLOR if same else _DIFFERENT_LABELS_COLOR
            axes.imshow(np.hstack(images), cmap="gray_r", vmin=0, vmax=255)
            axes.axvline(27.5, color=GRAY, linewidth=0.6)
            _hide_axes(axes)
            axes.spines[:].set(visible=True, color=GRAY if same else color, linewidth=1)
            class_names = dict.fromkeys(
                wrap(result.class_names[label], 16, 1) for label in (test_label, train_label)
            )
            axes.set_title(
                f"{' / '.join(class_names)}\n{near.similarities[pair]:.4f}: test {test_row}, "
                f"train {train_row}",
                fontsize=8,
                color=color,
            )
    return figure


def _scatter(
    points: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8], class_names: Sequence[str]
) -> tuple[Figure, Axes]:
    """Plot points (n, 2 or more) in random order, so that no class covers another."""
    figure = Figure(figsize=(9.4, 7.4), layout="constrained")
    axes = figure.add_subplot()
    order = np.random.default_rng(0).permutation(len(points))
    seaborn.scatterplot(
        x=points[order, 0], y=points[order, 1], hue=labels[order], hue_order=range(CLASSES),
        palette=_CLASS_COLORS, s=float(np.clip(120_000 / len(points), 0.6, 30)), linewidth=0,
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
        loc="outside right center", handlelength=1,
    )  # fmt: skip
    return figure, axes


def _hide_axes(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
