"""Figures of classes, images, pixel values and their correlation, and near-duplicates."""

from collections.abc import Sequence
from math import isqrt
from typing import Literal

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from fmnist.data.duplicates import MIN_SIMILARITY
from fmnist.eda.embedding import summarize_by_distance
from fmnist.plots.images import INVERTED, plot_image_grid, plot_message
from fmnist.plots.style import (
    GRAY,
    PALETTE,
    TEXT_COLOR,
    format_percent_ticks,
    plot_style,
    wrap,
)
from fmnist.results.eda import VALUES, Exploration, SplitAudit

_DIFFERENT_LABELS_COLOR = "#C00000"
_MAX_PAIRS = 20
_PAIRS_PER_ROW = 4
_PAIR_GAP = 4  # pixels
_CONSTANT_PIXEL_COLOR = "#BBBBBB"
_PANELS_PER_LINE = 5
_CLASSES_PER_LINE = 10
_HISTOGRAM_BIN = 8  # pixel values


def class_balance(result: Exploration) -> Figure:
    """Plot the number of images of each class, one panel for each split."""
    with plot_style():
        classes = range(len(result.class_names))
        figure = Figure(figsize=(8, max(4, 1 + 0.26 * len(classes))), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axes, (name, split, color, _) in zip(panels, _splits(result), strict=True):
            counts = split.class_counts
            seaborn.barplot(
                x=counts, y=np.array(classes), orient="h", color=color, saturation=1, width=0.7,
                ax=axes,
            )  # fmt: skip
            axes.bar_label(axes.containers[0], [f"{n:,}" for n in counts], padding=3, fontsize=9)
            axes.set(xlabel="Images", ylabel="")
            axes.set_title(f"{name}: {split.rows:,} images", loc="left")
            axes.set_xlim(0, 1.2 * counts.max())
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axes.grid(visible=False, axis="y")
        panels[0].set_yticks(classes, [wrap(name) for name in result.class_names])
    return figure


def samples(result: Exploration) -> Figure:
    """Plot some training images of each class, one class per line."""
    images, rows = result.images, result.samples
    gap = 3
    cell = images.shape[1] + gap
    columns = max(map(len, rows.values()))
    classes = len(result.class_names)
    mosaic = np.zeros((classes, cell, columns, cell), np.uint8)
    for label, label_rows in rows.items():
        mosaic[label, :-gap, : len(label_rows), :-gap] = images[label_rows].swapaxes(0, 1)
    with plot_style():
        figure = Figure(
            figsize=(max(4.2, 1.8 + 0.68 * columns), 0.4 + 0.68 * classes), layout="constrained"
        )
        axes = figure.add_subplot()
        pixels = mosaic.reshape(classes * cell, columns * cell)
        axes.imshow(pixels, cmap="gray_r", vmin=0, vmax=255)
        _hide_axes(axes)
        figure.suptitle(f"Training images ({INVERTED})", x=0.01, ha="left", fontsize=9)
        centers = np.arange(classes) * cell + images.shape[1] / 2
        axes.set_yticks(centers, [wrap(name, 18) for name in result.class_names])
        axes.tick_params(length=0)
        for label, label_rows in rows.items():
            if not label_rows:
                axes.text(0, centers[label], "no image", va="center", fontsize=8, color=GRAY)
    return figure


def mean_images(result: Exploration) -> Figure:
    """Plot the mean and the standard deviation image of each class; white is 0 in both."""
    classes = len(result.class_names)
    columns = min(classes, _CLASSES_PER_LINE)
    lines = -(-classes // columns)
    with plot_style():
        figure = Figure(figsize=(max(4, 0.94 * columns), 2.5 * lines), layout="constrained")
        panels = figure.subplots(2 * lines, columns, squeeze=False)
        for first, images, label, colormap in (
            (0, result.class_means, "Mean", "Greys"),
            (1, result.class_stds, "Std. dev.", "Purples"),
        ):
            largest = max(float(np.nanmax(images)), 1.0)
            cells = panels[first::2]
            for axes, image in zip(cells.flat, images, strict=False):
                drawn = axes.imshow(image, cmap=colormap, vmin=0, vmax=largest)
                if np.isnan(image).all():
                    axes.text(14, 14, "no image", ha="center", va="center", fontsize=8, color=GRAY)
            for axes in cells[:, 0]:
                axes.set_ylabel(label, fontsize=10)
            bar = figure.colorbar(drawn, ax=cells[0], pad=0.01, aspect=10, label="Pixel value")
            bar.outline.set_visible(False)
        for axes in panels.flat:
            _hide_axes(axes)
        for axes, name in zip(panels[::2].flat, result.class_names, strict=False):
            axes.set_title(wrap(name, 12), fontsize=9)
    return figure


def pixel_intensity(result: Exploration) -> Figure:
    """Plot the histogram of the nonzero pixel values of each class; titles give the zeros."""
    with plot_style():
        classes = len(result.class_names)
        columns = min(classes, _PANELS_PER_LINE)
        lines = -(-classes // columns)
        figure = Figure(figsize=(max(6, 2.2 * columns), 1 + 2 * lines), layout="constrained")
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes in panels[classes:]:
            axes.set_axis_off()
        for label, axes in enumerate(panels[:classes]):
            zeros = []
            for _, split, color, style in _splits(result):
                counts = split.histogram[label]
                if not counts.any():
                    continue
                # Zeros are much more frequent than any other value.
                seaborn.histplot(
                    {"value": np.arange(1, VALUES), "fraction": counts[1:] / counts.sum()},
                    x="value", weights="fraction", bins=list(range(0, VALUES + 1, _HISTOGRAM_BIN)),
                    element="step", fill=False, color=color, linestyle=style, linewidth=1.3,
                    ax=axes,
                )  # fmt: skip
                zeros.append(f"{100 * counts[0] / counts.sum():.0f}")
            title = f"0 in {' / '.join(zeros)} % of pixels" if zeros else "no image"
            axes.set_title(
                f"{wrap(result.class_names[label], 22)}\n{title}", fontsize=9, loc="left"
            )
            axes.set(xlabel="", ylabel="", xlim=(0, VALUES), xticks=[0, 64, 128, 192, 255])
            format_percent_ticks(axes.yaxis)
        # Only now: it ends the automatic scaling of all panels.
        panels[0].set_ylim(bottom=0)
        figure.supxlabel("Pixel value (1 to 255; 0 is background)", fontsize=10)
        figure.supylabel(f"Pixels of the class per {_HISTOGRAM_BIN} values", fontsize=10)
        handles = [
            Line2D([], [], color=color, linestyle=style, linewidth=1.3, label=name)
            for name, _, color, style in _splits(result)
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return figure


def correlation_heatmap(result: Exploration) -> Figure:
    """Plot the correlations of all pixels, with the center pixel, and by distance."""
    correlations, by_distance = result.correlations, summarize_by_distance(result.correlations)
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
        axes.set(xlabel="Pixel (28 x row + column)", ylabel="Pixel")
        axes.set_title(f"Correlation of the training pixels ({gray})", loc="left")
        top.plot(side // 2 + 0.5, side // 2 + 0.5, "x", color="black", markersize=6)
        top.set_title("Correlation with the center pixel (cross)", loc="left")
        distance = by_distance["distance"]
        seaborn.lineplot(
            x=distance, y=by_distance["mean"], color=PALETTE[0], label="mean", ax=bottom
        )
        bottom.fill_between(
            distance, by_distance["lower_quartile"], by_distance["upper_quartile"],
            color=PALETTE[0], alpha=0.2, linewidth=0, label="middle half of the pairs",
        )  # fmt: skip
        bottom.axhline(0, color=GRAY, linewidth=0.8)
        bottom.set(xlabel="Distance between two pixels (pixels)", ylabel="Pearson correlation")
        bottom.set_title("By distance", loc="left")
        bottom.legend(loc="upper right")
    return figure


def near_duplicates(result: Exploration) -> Figure:
    """Plot evenly spaced pairs of near-duplicates, most similar first, one frame per pair."""
    pairs = result.near.pairs
    if pairs.empty:
        return plot_message(
            f"No near-duplicates (structural similarity of at least {MIN_SIMILARITY})"
        )
    shown = pairs.iloc[np.unique(np.linspace(0, len(pairs) - 1, _MAX_PAIRS).round().astype(int))]
    test_images = result.images[result.train.rows + shown["test_index"]]
    gap = np.zeros((len(shown), test_images.shape[1], _PAIR_GAP), np.uint8)
    images = np.concatenate([test_images, gap, result.images[shown["train_index"]]], axis=2)
    captions, colors = [], []
    for test, train, test_label, train_label, similarity in shown.itertuples(index=False):
        labels = dict.fromkeys([test_label, train_label])
        class_names = " / ".join(wrap(result.class_names[label], 12, 1) for label in labels)
        captions.append(f"{similarity:.4f} {class_names}\ntest {test}, train {train}")
        colors.append(TEXT_COLOR if test_label == train_label else _DIFFERENT_LABELS_COLOR)
    title = (
        f"Near-duplicates: {len(shown)} of {len(pairs):,} pairs with a structural similarity of "
        f"at least {MIN_SIMILARITY}\n"
        "in each frame: test image, training image; red: different labels"
    )
    return plot_image_grid(images, captions, title, _PAIRS_PER_ROW, colors)


def _splits(result: Exploration) -> Sequence[tuple[str, SplitAudit, str, Literal["-", "--"]]]:
    """Return the name, statistics, color and line style of each split."""
    return ("training", result.train, PALETTE[0], "-"), ("test", result.test, PALETTE[1], "--")


def _hide_axes(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
