"""Test images beside the training images that they nearly equal."""

from matplotlib.figure import Figure

from fmnist.plots.style import plot_style, wrap
from fmnist.results.eda import Exploration

_COLUMNS = 4
_LINES = 5
_NAME_WIDTH = 16


def near_duplicates(explored: Exploration) -> Figure:
    """Pairs of a test image (left) and a training image (right), the most similar first.

    They are taken from the list at even steps, both ends included, so that what just passes as a
    near-duplicate is seen too. Pairs with two labels are told in red.
    """
    found = explored.near
    with plot_style():
        if len(found) == 0:
            figure = Figure(figsize=(6, 1), layout="constrained")
            figure.text(
                0.5,
                0.5,
                f"No test image nearly equals a training image\n(similarity {found.similarity})",
                ha="center",
                va="center",
            )
            return figure
        shown = min(len(found), _COLUMNS * _LINES)
        places = [round(at * (len(found) - 1) / max(shown - 1, 1)) for at in range(shown)]
        columns = min(shown, _COLUMNS)
        lines = -(-shown // columns)
        figure = Figure(figsize=(max(4.5, 2.9 * columns), 0.7 + 2.1 * lines), layout="constrained")
        figure.suptitle(
            f"Near-duplicates: {shown:,} of {len(found):,} pairs with structural similarity "
            f"≥ {found.similarity}\nand pixels that differ by at most {found.difference:.0%}; "
            "test image left, training image right",
            fontsize=10,
        )
        boxes = figure.subfigures(lines, columns, squeeze=False).ravel()
        for box, at in zip(boxes, places, strict=False):
            row, match = found.test[at], found.train[at]
            one, other = (labels[at] for labels in explored.near_labels())
            names = [wrap(explored.class_names[c], _NAME_WIDTH, 1) for c in (one, other)]
            box.suptitle(
                (names[0] if one == other else f"{names[0]} / {names[1]}")
                + f"\n{found.similarities[at]:.4f}: test {row}, train {match}",
                fontsize=8,
                color="black" if one == other else "#C00000",
            )
            for tile, place in zip(
                box.subplots(1, 2), (explored.train.rows + row, match), strict=True
            ):
                tile.imshow(explored.images[place], cmap="gray_r", vmin=0, vmax=255)
                tile.set_axis_off()
    return figure
