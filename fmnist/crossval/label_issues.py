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
    probabilities = np.concatenate([result.held_out.probabilities for result in results])
    means = pd.DataFrame(probabilities.astype(float)).groupby(rows).mean().to_numpy()
    each, suggested, names = np.arange(len(means)), means.argmax(axis=1), np.array(class_names)
    images = pd.DataFrame({"label": labels, "differs": predicted != labels}).groupby(rows)
    label = images["label"].first()
    table = pd.DataFrame(
        {
            "label": label,
            "name": names[label],
            "self_confidence": means[each, label],
            "predicted": suggested,
            "predicted_name": names[suggested],
            "probability": means[each, suggested],
            "agreement": images["differs"].mean(),
            "repeats": images.size(),
        }
    )
    issues = table[table["label"] != suggested].sort_values("self_confidence", kind="stable")
    return issues.head(MAX_ISSUES).reset_index(names="index")
