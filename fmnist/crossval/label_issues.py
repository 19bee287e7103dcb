"""Training images whose label is probably wrong, found with out-of-fold predictions.

C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
Journal of Artificial Intelligence Research 70 (2021): images are ranked by self-confidence, the
probability that a model assigns to the given label without having been trained on the image.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from fmnist.results.training import FoldResult

MAX_ISSUES: Final = 1000


def find_label_issues(results: Sequence[FoldResult], class_names: Sequence[str]) -> pd.DataFrame:
    """Return the images that are predicted as another class, lowest self-confidence first.

    The repeats of the cross-validation are replicates: probabilities are means over them.

    Args:
        results: all folds of all repeats.
        class_names: names in label order.

    Returns:
        At most `MAX_ISSUES` rows with the columns `index` (row in the training file), `label`,
        `name`, `self_confidence`, `predicted`, `predicted_name`, `probability` (of the predicted
        class), `agreement` (fraction of the repeats that predict another class than the label) and
        `repeats`.
    """
    rows = np.concatenate([result.rows for result in results])
    labels = np.concatenate([result.held_out.labels for result in results])
    predicted = np.concatenate([result.held_out.predicted for result in results])
    indices, first, places, repeats = np.unique(
        rows, return_index=True, return_inverse=True, return_counts=True
    )
    means = np.zeros((len(indices), results[0].held_out.probabilities.shape[1]))
    np.add.at(means, places, np.concatenate([r.held_out.probabilities for r in results]))
    means /= repeats[:, None]
    image_labels, suggested = labels[first], means.argmax(axis=1)
    each = np.arange(len(indices))
    names = np.array(class_names)
    table = pd.DataFrame(
        {
            "index": indices,
            "label": image_labels,
            "name": names[image_labels],
            "self_confidence": means[each, image_labels],
            "predicted": suggested,
            "predicted_name": names[suggested],
            "probability": means[each, suggested],
            "agreement": np.bincount(places, predicted != labels) / repeats,
            "repeats": repeats,
        }
    )
    issues = table[image_labels != suggested]
    return issues.sort_values("self_confidence", kind="stable").head(MAX_ISSUES)
