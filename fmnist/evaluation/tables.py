"""Histories, scores and predictions as CSV and Parquet files, in memory."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fmnist import names
from fmnist.evaluation.metrics import ClassScore
from fmnist.results.training import Evaluation, FoldResult, History

Rows = npt.NDArray[np.int64]

_EPOCH_METRICS: Final = {
    names.column_name(metric): metric
    for metric in (names.LEARNING_RATE, names.EPOCH_SECONDS, names.IMAGES_PER_SECOND)
}


def to_columns(metrics: Mapping[str, float]) -> dict[str, float]:
    """Name metrics as columns of a table."""
    return {names.column_name(metric): value for metric, value in metrics.items()}


def history_csv(history: History) -> bytes:
    """One line per epoch, starting at 1, and one column per metric."""
    table = pd.DataFrame([to_columns(row) for row in history.rows])
    table.insert(0, "epoch", range(1, history.epochs + 1))
    return table.to_csv(index=False).encode()


def per_class_csv(scores: Sequence[ClassScore], class_names: Sequence[str]) -> bytes:
    """One line per class: name, precision, recall, F1 and counts."""
    table = pd.DataFrame([asdict(score) for score in scores])
    table.insert(1, "class", list(class_names))
    return table.to_csv(index=False).encode()


def predictions_parquet(evaluation: Evaluation, rows: Rows | None = None) -> bytes:
    """One line per image: `index` (its row in the file), `label`, `predicted`, and `p0`,
    `p1`, … with the probability of each class.

    Args:
        rows: (n,) int64, row numbers of the images; None if all rows were evaluated in order.
    """
    return _parquet(_predictions(evaluation, rows))


def out_of_fold_parquet(results: Sequence[FoldResult]) -> bytes:
    """Predictions for the held-out rows of all folds, with columns `repeat` and `fold`."""
    keys = [result.key for result in results]
    parts = [_predictions(result.held_out, result.rows) for result in results]
    table = pd.concat(parts, keys=keys, names=[names.REPEAT, names.FOLD]).reset_index([0, 1])
    return _parquet(table.sort_values([names.REPEAT, "index"]))


def read_predictions(content: bytes) -> tuple[Rows, Evaluation]:
    """Read a file of `predictions_parquet`: row numbers and predictions."""
    table = pd.read_parquet(BytesIO(content))
    probabilities = table[probability_columns(table.columns)].to_numpy(np.float32)
    return table["index"].to_numpy(np.int64), Evaluation(
        table["label"].to_numpy(np.int64), probabilities
    )


def probability_columns(columns: Iterable[str]) -> list[str]:
    """The columns `p0`, `p1`, … of predictions for all classes, in label order."""
    count = sum(column[:1] == "p" and column[1:].isdigit() for column in columns)
    return [f"p{label}" for label in range(count)]


def read_history(content: bytes) -> History:
    """Read a file of `history_csv`."""
    table = pd.read_csv(BytesIO(content)).drop(columns="epoch").rename(columns=_EPOCH_METRICS)
    return History(tuple(table.astype(float).to_dict("records")))  # type: ignore[arg-type]


def _predictions(evaluation: Evaluation, rows: Rows | None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "index": np.arange(len(evaluation.labels)) if rows is None else rows,
            "label": evaluation.labels,
            "predicted": evaluation.predicted,
        }
        | {f"p{c}": evaluation.probabilities[:, c] for c in range(evaluation.classes)}
    )


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()
