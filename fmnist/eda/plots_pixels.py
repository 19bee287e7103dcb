"""What the images and labels look like before any model sees them."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from fmnist.plots.style import GRAY, PALETTE, plot_style, wrap
from fmnist.results.eda import VALUES, ClassImages, SplitAudit
from fmnist.results.training import CLASSES

# Characters of a class name above one of ten columns.
_NAME_WIDTH = 12

_ROW_NAME_WIDTH = 18

_BIN = 8
_GAP = 3  # pixels between samples


def class_balance(audits: Mapping[str, SplitAudit], class_names: Sequence[str]) -> Figure:
    """Images of each class in each split, a panel a split, with their counts."""
    with plot_style():
        figure = Figure(figsize=(8, 4), layout="constrained")
        panels = figure.subplots(1, len(audits), sharey=True, squeeze=False)[0]
        for panel, (split, found), color in zip(panels, audits.items(), PALETTE, strict=False):
            counts = found.class_counts
            bars = panel.barh(range(CLASSES), counts, color=color, height=0.7)
            panel.bar_label(bars, [f"{count:,}" for count in counts], padding=3, fontsize=9)
            panel.set_title(f"{split}: {found.rows:,} images")
            panel.set_xlabel("Images")
            panel.set_xlim(0, 1.2 * counts.max())
            panel.xaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
            panel.xaxis.get_major_locator().set_params(nbins=4, integer=True)
            panel.grid(visible=False, axis="y")
        panels[0].set_yticks(range(CLASSES), [wrap(name) for name in class_names])
        panels[0].invert_yaxis()
    return figure


def samples(
    images: npt.NDArray[np.uint8], rows: Mapping[int, Sequence[int]], class_names: Sequence[str]
) -> Figure:
    """Some images of every class, a line a class.

    Args:
        images: (n, 28, 28) uint8, 0 is background, 255 is ink.
        rows: for each label the rows to show.
    """
    side = images.shape[1] + _GAP
    columns = max(len(of_it) for of_it in rows.values())
    mosaic = np.zeros((CLASSES * side - _GAP, columns * side - _GAP), np.uint8)
    for label, of_it in rows.items():
        for column, row in enumerate(of_it):
            top, left = label * side, column * side
            mosaic[top : top + side - _GAP, left : left + side - _GAP] = images[row]
    with plot_style():
        figure = Figure(figsize=(1.8 + 0.68 * columns, 6.8), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(mosaic, cmap="gray_r", vmin=0, vmax=255)
        _bare(axes)
        middles = np.arange(CLASSES) * side + (side - _GAP) / 2
        axes.set_yticks(middles, [wrap(name, _ROW_NAME_WIDTH) for name in class_names])
        axes.tick_params(length=0)
        for label, of_it in rows.items():
            if not of_it:
                axes.text(0, middles[label], "no image", va="center", fontsize=8, color=GRAY)
    return figure


def mean_images(found: ClassImages, counts: npt.NDArray[np.int64], names: Sequence[str]) -> Figure:
    """The mean and the standard-deviation image of every class, each with one scale.

    Args:
        counts: (10,) images of each class.
        names: the 10 class names in label order.
    """
    with plot_style():
        figure = Figure(figsize=(11, 2.8), layout="constrained")
        lines = figure.subplots(2, CLASSES)
        for images, line, what, colors in (
            (found.means, lines[0], "Mean", "gray_r"),
            (found.stds, lines[1], "Std", "magma"),
        ):
            top = max(float(np.nanmax(images)), 1.0)
            for label, tile in enumerate(line):
                _bare(tile)
                if counts[label] == 0:
                    _say(tile, "no image")
                    continue
                shown = tile.imshow(images[label], cmap=colors, vmin=0, vmax=top)
            line[0].set_ylabel(what, fontsize=10)
            bar = figure.colorbar(shown, ax=line, pad=0.01, aspect=10, label="Pixel value")
            bar.outline.set_visible(False)
        for label, tile in enumerate(lines[0]):
            tile.set_title(wrap(names[label], _NAME_WIDTH), fontsize=9)
    return figure


def pixel_intensity(audits: Mapping[str, SplitAudit], class_names: Sequence[str]) -> Figure:
    """How often each pixel value occurs in each class, zeros apart, on one scale."""
    edges = np.append(np.arange(0, VALUES, _BIN), VALUES)
    with plot_style():
        figure = Figure(figsize=(11, 5), layout="constrained")
        tiles = figure.subplots(2, CLASSES // 2, sharex=True, sharey=True).ravel()
        for label, tile in enumerate(tiles):
            zeros = []
            for (split, found), color, style in zip(
                audits.items(), PALETTE, ("-", "--"), strict=False
            ):
                counts = found.histogram[label]
                if not counts.any():
                    continue
                ink = counts.copy()
                ink[0] = 0  # told in the title: it would dwarf every other value
                shares = np.add.reduceat(ink, edges[:-1]) / counts.sum()
                tile.stairs(shares, edges, color=color, linestyle=style, label=split, lw=1.3)
                zeros.append(f"{counts[0] / counts.sum():.0%}")
            told = f"0 in {' / '.join(zeros)} of pixels" if zeros else "no image"
            tile.set_title(f"{wrap(class_names[label], 22)}\n{told}", fontsize=9)
            tile.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
            tile.set_xlim(0, VALUES - 1)
            tile.set_xticks([0, 64, 128, 192, 255])
        figure.supxlabel("Pixel value (1 to 255; 0 is the ground)", fontsize=10)
        figure.supylabel(f"Share of the class's pixels per {_BIN} values", fontsize=10)
        handles, labels = next(
            (found for tile in tiles if (found := tile.get_legend_handles_labels())[0]), ([], [])
        )
        figure.legend(handles, labels, loc="outside upper right", ncols=2)
    return figure


def _say(tile: Axes, words: str) -> None:
    tile.text(0.5, 0.5, words, ha="center", va="center", fontsize=8, color=GRAY,
              transform=tile.transAxes)  # fmt: skip


def _bare(tile: Axes) -> None:
    tile.set_xticks([])
    tile.set_yticks([])
    tile.grid(visible=False)
    tile.spines[:].set_visible(False)
