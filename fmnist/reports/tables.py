"""Results as files that other programs read: CSV and Parquet, as bytes."""

from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO

import numpy as np
import pandas as pd

from fmnist.evaluation.scores import ClassScore
from fmnist.results import CLASSES, Evaluation, History


def history_csv(history: History) -> bytes:
    """One line an epoch, counted from 1, one column a metric."""
    table = pd.DataFrame([dict(row) for row in history.rows])
    table.insert(0, "epoch", range(1, history.epochs + 1))
    return table.to_csv(index=False).encode()


def per_class_csv(scores: Sequence[ClassScore], class_names: Sequence[str]) -> bytes:
    """One line a class: its name, precision, recall, F1 and counts."""
    table = pd.DataFrame([asdict(score) for score in scores])
    table.insert(1, "class", list(class_names))
    return table.to_csv(index=False).encode()


def predictions_parquet(evaluation: Evaluation) -> bytes:
    """One line an image: `index` its row in the file, `label`, `predicted`, `p0` to `p9`."""
    table = pd.DataFrame(
        {
            "index": np.arange(len(evaluation.labels)),
            "label": evaluation.labels,
            "predicted": evaluation.predicted,
        }
        | {f"p{c}": evaluation.probabilities[:, c] for c in range(CLASSES)}
    )
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()
