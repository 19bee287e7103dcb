"""The figures of a comparison, as files."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fmnist import names
from fmnist.comparison import Comparison
from fmnist.figures import confusion, cost, curves, disagreements, per_class
from fmnist.figures.encoding import png
from fmnist.reports.rivals import rivals


def files(comparison: Comparison, images: npt.NDArray[np.uint8] | None) -> dict[str, bytes]:
    """The figures by their artifact names.

    Those that tell two models apart are left out where there is one alone, the one that shows
    images where there are none.

    Args:
        images: (n, 28, 28) uint8, the test images in the order of their file.
    """
    return {name: png(figure) for name, figure in _figures(comparison, images).items()}


def _figures(comparison: Comparison, images: npt.NDArray[np.uint8] | None) -> dict[str, Figure]:
    contenders, class_names = comparison.contenders, comparison.class_names
    histories = {contender.label: contender.run.history for contender in contenders}
    classes = {contender.label: contender.per_class for contender in contenders}
    figures = {
        names.FIGURE_ACCURACY_BY_EPOCH: curves.accuracy(histories),
        names.FIGURE_CONVERGENCE: curves.convergence(histories),
        names.FIGURE_ACCURACY_VS_COST: cost.accuracy_vs_cost(contenders),
        names.FIGURE_PER_CLASS_COMPARISON: per_class.f1(classes, class_names),
    }
    if len(contenders) > 1:
        first, second = contenders[:2]
        figures[names.FIGURE_CONFUSION_DIFFERENCE] = confusion.confusion_difference(
            first.run.test, second.run.test, (first.label, second.label), class_names
        )
    found = rivals(comparison)
    if found and images is not None:
        figures[names.FIGURE_DISAGREEMENTS] = disagreements.disagreements(
            images, found[0].run.rows, [(c.label, c.run.test) for c in found], class_names
        )
    return figures
