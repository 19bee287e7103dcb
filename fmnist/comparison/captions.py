"""What each figure of a comparison is called, shows, and how it is read."""

from typing import NamedTuple

from fmnist import names
from fmnist.comparison.finalists import finalists
from fmnist.comparison.results import Comparison


class Caption(NamedTuple):
    """Words beside a figure: a heading, what stands for it where it cannot be seen, and a key."""

    title: str
    alternative: str
    reading: str


def captions(comparison: Comparison) -> dict[str, Caption]:
    """One for each figure that there may be, by its artifact name, in the order to show them."""
    labels = [compared_model.label for compared_model in comparison.compared_models]
    models = ", ".join(labels)
    two_best = " and ".join(labels[:2])
    compared = " and ".join(compared_model.label for compared_model in finalists(comparison) or ())
    return {
        names.FIGURE_ACCURACY_BY_EPOCH: Caption(
            "Accuracy by epoch",
            f"Line chart of training and validation accuracy over the epochs of {models}.",
            "Solid with full markers: validation rows; dashed with hollow markers: training rows; "
            "a ring: the highest validation accuracy. A dashed line far above its solid one is a "
            "model that knows its training rows by heart. The rows of backbones that were "
            "unfrozen count on from the epochs of their heads.",
        ),
        names.FIGURE_CONVERGENCE: Caption(
            "Convergence",
            f"Line chart of training and validation loss over the epochs of {models}.",
            "As above, for the loss; a ring is the lowest validation loss, and with keep=best the "
            "weights that were evaluated. A solid line that still falls at its end would have "
            "gained from more epochs; one that rises was trained too long.",
        ),
        names.FIGURE_ACCURACY_VS_COST: Caption(
            "Accuracy against cost",
            f"Two scatter charts of the test accuracy of {models}: against their parameters and "
            "against the seconds that they took to train.",
            "Up is better, left is cheaper; each step of the scale is a multiple. On the Pareto "
            "front are the models that no other surpasses without costing more. A hollow marker "
            "is the part of the parameters that was trained. Equal costs are drawn side by side. "
            "Features count with what they cost to compute, whoever computed them.",
        ),
        names.FIGURE_CONFUSION_DIFFERENCE: Caption(
            "Where the two best differ",
            f"Table of the differences between the confusion matrices of {two_best}.",
            "Each cell counts how many images more of its true class the one or the other gave "
            "that answer. In a framed cell the answer is right, and the model that gave it more "
            "often is better; in any other the answer is wrong, and it is worse.",
        ),
        names.FIGURE_PER_CLASS_COMPARISON: Caption(
            "F1 by class",
            f"Dot chart of the F1 score of {models} for each class.",
            "Right is better; the class that is hardest on average is at the top. Markers far "
            "apart show the classes that decide.",
        ),
        names.FIGURE_DISAGREEMENTS: Caption(
            "Images on which two models disagree",
            f"Test images that only one of {compared} answers correctly, with both answers.",
            "Of the images that one alone gets right, those on which both were most confident. "
            "Under the tick stands the true class, under the cross the wrong answer, each with "
            "the probability that its model gave it; the row is the image's number in the test "
            "file.",
        ),
    }
