"""The figures of a comparison, as files."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from fmnist import names
from fmnist.comparison import plots_cost, plots_disagreements, plots_per_class
from fmnist.comparison.finalists import finalists
from fmnist.comparison.results import Comparison
from fmnist.plots import confusion, curves
from fmnist.plots.style import to_png


def files(comparison: Comparison, images: npt.NDArray[np.uint8] | None) -> dict[str, bytes]:
    """The figures by their artifact names.

    Those that tell two models apart are left out where there is one alone, the one that shows
    images where there are none.

    Args:
        images: (n, 28, 28) uint8, the test images in the order of their file.
    """
    return {name: to_png(figure) for name, figure in _figures(comparison, images).items()}


def _figures(comparison: Comparison, images: npt.NDArray[np.uint8] | None) -> dict[str, Figure]:
    compared_models, class_names = comparison.compared_models, comparison.class_names
    histories = {
        compared_model.label: compared_model.run.history for compared_model in compared_models
    }
    classes = {compared_model.label: compared_model.per_class for compared_model in compared_models}
    figures = {
        names.FIGURE_ACCURACY_BY_EPOCH: curves.accuracy(histories),
        names.FIGURE_CONVERGENCE: curves.convergence(histories),
        names.FIGURE_ACCURACY_VS_COST: plots_cost.accuracy_vs_cost(compared_models),
        names.FIGURE_PER_CLASS_COMPARISON: plots_per_class.f1(classes, class_names),
    }
    if len(compared_models) > 1:
        first, second = compared_models[:2]
        figures[names.FIGURE_CONFUSION_DIFFERENCE] = confusion.confusion_difference(
            first.run.test, second.run.test, (first.label, second.label), class_names
        )
    found = finalists(comparison)
    if found and images is not None:
        figures[names.FIGURE_DISAGREEMENTS] = plots_disagreements.disagreements(
            images, found[0].run.rows, [(c.label, c.run.test) for c in found], class_names
        )
    return figures
