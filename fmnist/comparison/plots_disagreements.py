"""Pictures that one model gets right and another wrong."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from fmnist.plots.style import plot_style, wrap
from fmnist.results.training import Evaluation

_COLUMNS: Final = 5
_NAME_WIDTH: Final = 18
_RIGHT: Final = "\N{CHECK MARK}"
_WRONG: Final = "\N{MULTIPLICATION SIGN}"


def disagreements(
    images: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    models: Sequence[tuple[str, Evaluation]],
    class_names: Sequence[str],
    count: int = 10,
) -> Figure:
    """Images that the one of two models answers rightly and the other wrongly, both ways round.

    Of each way, those on which both are most confident.

    Args:
        images: (n, 28, 28) uint8, 0 is background, 255 is ink.
        rows: (m,) int64, which of the images were answered.
        models: two names, and the answers on these rows, in this order.
        class_names: the 10 names in label order.
        count: pictures to show at most of each way.
    """
    (one, first), (other, second) = models
    ways = ((one, first, other, second), (other, second, one, first))
    chosen = [_most_confident(right, wrong) for _, right, _, wrong in ways]
    lines = [-(-min(len(found), count) // _COLUMNS) for found in chosen]
    with plot_style():
        heights = [0.85 + 2.1 * n for n in lines]
        figure = Figure(figsize=(9.5, sum(heights)), layout=ConstrainedLayoutEngine(hspace=0.08))
        parts = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
        for part, (right_name, right, wrong_name, wrong), found in zip(
            parts, ways, chosen, strict=True
        ):
            told = f"{min(len(found), count):,} of {len(found):,} such images"
            part.suptitle(
                f"{_RIGHT} right, so this is the true class: {wrap(right_name, 80, 1)}\n"
                f"{_WRONG} wrong: {wrap(wrong_name, 90, 1)}\n"
                f"{told if len(found) else 'no such image'}",
                fontsize=10,
                x=0.01,
                ha="left",
            )
            _tiles(part, images, rows, found[:count], (right, wrong), class_names)
    return figure


def _most_confident(right: Evaluation, wrong: Evaluation) -> npt.NDArray[np.int64]:
    """Places that `right` alone answers rightly, the greatest product of probabilities first."""
    found = np.flatnonzero((right.predicted == right.labels) & (wrong.predicted != wrong.labels))
    sure = right.probabilities[found].max(axis=1) * wrong.probabilities[found].max(axis=1)
    return found[np.argsort(-sure, kind="stable")]


def _tiles(
    part: SubFigure,
    images: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    shown: npt.NDArray[np.int64],
    answers: tuple[Evaluation, Evaluation],
    class_names: Sequence[str],
) -> None:
    if not len(shown):
        return
    tiles = part.subplots(-(-len(shown) // _COLUMNS), _COLUMNS, squeeze=False).ravel()
    for tile in tiles:
        tile.set_axis_off()
    for tile, place in zip(tiles, shown, strict=False):
        tile.imshow(images[rows[place]], cmap="gray_r", vmin=0, vmax=255)
        told = [
            f"{mark} {wrap(class_names[answer.predicted[place]], _NAME_WIDTH)} "
            f"{answer.probabilities[place].max():.0%}"
            for mark, answer in zip((_RIGHT, _WRONG), answers, strict=True)
        ]
        tile.set_title("\n".join([*told, f"row {rows[place]}"]), fontsize=8)
