"""Load the runs to compare from the tracking store and validate their artifacts."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from io import BytesIO
from itertools import chain
from typing import Final, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from fmnist import names
from fmnist.comparison import select
from fmnist.comparison.models import CrossvalRun, TrainRun
from fmnist.comparison.results import Comparison, ExcludedRun, NearDuplicateCount, rank_models
from fmnist.errors import BadInput
from fmnist.evaluation import metrics, tables
from fmnist.options import Crossval, Train
from fmnist.options.train import FROM_SCRATCH
from fmnist.results.runs import RunRecord
from fmnist.results.training import Evaluation, History
from fmnist.tracking.search import RunStore

_TRAIN_FILES: Final = (names.PREDICTIONS_TEST, names.TABLE_HISTORY, names.TABLE_PER_CLASS)
_PREDICTION_COLUMNS: Final = ("index", "label", "predicted")
_HISTORY_COLUMNS: Final = {names.TRAIN_LOSS, names.TRAIN_ACCURACY, names.EPOCH_SECONDS}
_ACCURACY_TOLERANCE: Final = 1e-6
# The options that determine the result of `train` and of `crossval`.
_SHARED: Final = Train.model_fields.keys() & Crossval.model_fields.keys() - {"seed", "split_seed"}
T = TypeVar("T")

# Raised by pandas and Arrow for files that are not tables.
_READ_ERRORS: Final = (KeyError, ValueError, TypeError, OSError, pa.ArrowException)


class InvalidArtifact(Exception):
    """An artifact is missing or its content is invalid."""


def load_runs(
    store: RunStore, run_ids: Sequence[str] = (), models: Sequence[str] = (), seed: int = 0
) -> Comparison:
    """Load the runs to compare and the cross-validations that belong to them.

    Args:
        run_ids: exactly these runs; empty to select runs automatically.
        models: select only runs of these models; empty for all.
        seed: see `Comparison`.

    Raises:
        BadInput: a run in `run_ids` cannot be compared, or fewer than two models can.
    """
    if run_ids:
        selected, excluded = select.select_by_id(store.get(run_ids))
    else:
        selected, excluded = select.select_newest(store.search("train"), models)
    runs: list[TrainRun] = []
    for candidate in chain.from_iterable(selected):
        record = candidate.record
        files = store.download(record, _TRAIN_FILES)
        try:
            runs.append(_parse_train_run(record, candidate.options, files))
        except InvalidArtifact as error:
            if run_ids:
                raise BadInput(
                    f"runs={record.run_id} ({record.name}): {error}; train it again or leave it out"
                ) from error
            excluded.append(select.exclude(record, str(error)))
    runs, others = _select_same_rows(runs, strict=bool(run_ids))
    loaded = {run.record.run_id: run for run in runs}
    groups = [
        tuple(loaded[each.record.run_id] for each in group if each.record.run_id in loaded)
        for group in selected
    ]
    groups = [group for group in groups if group]
    if len(groups) < 2:
        raise BadInput(_explain_too_few(store.address, runs, [*others, *excluded]))
    digest = runs[0].record.tags.get(names.TAG_DATA_DIGEST, "unknown")
    same_data = {names.TAG_DATA_DIGEST: digest}
    crossvals, invalid = _load_crossvals(store, groups, store.search("crossval", same_data))
    return Comparison(
        models=rank_models(groups, crossvals),
        excluded=(*others, *excluded, *invalid),
        near_duplicates=_find_near_duplicates(store.search("eda", same_data)),
        seed=seed,
    )


def _select_same_rows(
    runs: list[TrainRun], strict: bool
) -> tuple[list[TrainRun], list[ExcludedRun]]:
    """The runs with the most frequent test rows (if tied, the newest ones), and the others."""
    keys = [(run.rows.tobytes(), run.test.labels.tobytes()) for run in runs]
    same, others = select.split_by_most_frequent(runs, keys)
    if strict and others:
        one, other = same[0], others[0]
        raise BadInput(
            f"runs: {one.record.run_id} and {other.record.run_id} have predictions for different "
            f"test rows ({len(one.rows):,} and {len(other.rows):,}) or different labels; compare "
            "runs on the same test rows"
        )
    return same, [
        select.exclude(
            run.record,
            f"its {len(run.rows):,} test rows or labels differ from the {len(same[0].rows):,} "
            "compared",
        )
        for run in others
    ]


def _load_crossvals(
    store: RunStore, groups: Sequence[tuple[TrainRun, ...]], records: Iterable[RunRecord]
) -> tuple[list[CrossvalRun | None], list[ExcludedRun]]:
    """The newest cross-validation with the options of each model, and those with invalid files."""
    wanted = [_shared_options(group[0].record, group[0].options) for group in groups]
    found: dict[Hashable, CrossvalRun] = {}
    invalid = []
    for record in records:
        if not record.is_finished:
            continue
        try:
            options = Crossval.from_text(record.parameters)
        except BadInput:  # logged by another version
            continue
        shared = _shared_options(record, options)
        if shared not in wanted or shared in found:
            continue
        try:
            files = store.download(record, (names.TABLE_FOLDS,))
            accuracies = _parse(files, names.TABLE_FOLDS, partial(_parse_folds, options))
            found[shared] = CrossvalRun(record, options, accuracies)
        except InvalidArtifact as error:
            invalid.append(select.exclude(record, str(error)))
    return [found.get(shared) for shared in wanted], invalid


def _shared_options(record: RunRecord, options: Train | Crossval) -> Hashable:
    """The options that `train` and `crossval` share, apart from the seeds, and the weights."""
    fields = options.fingerprint_fields()
    is_random = record.tags.get(names.TAG_WEIGHTS, options.weights) == "none"
    digest = None if is_random else record.tags.get(names.TAG_WEIGHTS_DIGEST)
    return digest, *(fields.get(name) for name in sorted(_SHARED))


def _find_near_duplicates(records: Iterable[RunRecord]) -> NearDuplicateCount | None:
    """The count of the newest finished run of `eda` that has one."""
    for record in records:
        rows = record.metrics.get(names.NEAR_DUPLICATE_TEST_ROWS)
        if record.is_finished and rows is not None:
            return NearDuplicateCount(int(rows), record.run_id)
    return None


def _explain_too_few(store: str, runs: list[TrainRun], excluded: list[ExcludedRun]) -> str:
    command = "mlflow run . -e train --env-manager local"
    lenet, transfer = f"\n  {command}", f"\n  {command} -P model=vgg16"
    message = f"expected finished runs of train of two or more models on {store}, "
    if runs:
        model = runs[0].options.model
        message += (
            f"found one model, {model} (run {runs[0].record.run_id}); first run"
            f"{transfer if model in FROM_SCRATCH else lenet}\n"
            f"or the same model with another option:\n  {command} -P model={model} -P dropout=0.4"
        )
    else:
        message += f"found none; first run{lenet}{transfer}"
    reasons = [f"  {run.name} {run.run_id}: {run.reason}" for run in excluded]
    return "\n".join([message, "excluded:", *reasons]) if reasons else message


def _parse_train_run(record: RunRecord, options: Train, files: Mapping[str, bytes]) -> TrainRun:
    class_names = _parse(files, names.TABLE_PER_CLASS, _parse_class_names)
    rows, test = _parse(files, names.PREDICTIONS_TEST, _parse_predictions)
    history = _parse(files, names.TABLE_HISTORY, _parse_history)
    if test.classes != len(class_names):
        raise InvalidArtifact(
            f"{names.PREDICTIONS_TEST}: expected probabilities of {len(class_names)} classes, got "
            f"{test.classes}"
        )
    accuracy = metrics.accuracy(test)
    logged = record.metrics.get(names.TEST_ACCURACY, accuracy)
    if not abs(accuracy - logged) <= _ACCURACY_TOLERANCE:
        raise InvalidArtifact(
            f"{names.PREDICTIONS_TEST}: its predictions have an accuracy of {accuracy:.4f}, but "
            f"the run has logged {logged:.4f}"
        )
    return TrainRun(record, options, history, rows, test, class_names)


def _parse(files: Mapping[str, bytes], name: str, parse: Callable[[bytes], T]) -> T:
    if name not in files:
        raise InvalidArtifact(f"{name}: missing")
    try:
        return parse(files[name])
    except _READ_ERRORS as error:
        raise InvalidArtifact(f"{name}: {error}") from error


def _parse_predictions(content: bytes) -> tuple[tables.Rows, Evaluation]:
    table = pd.read_parquet(BytesIO(content))
    probabilities = tables.probability_columns(table.columns)
    expected = (*_PREDICTION_COLUMNS, *probabilities)
    if missing := [column for column in expected if column not in table]:
        raise ValueError(f"column {missing[0]} is missing")
    if table.isna().any(axis=None):
        raise ValueError("values are missing (NaN)")
    if (table[probabilities] < 0).any(axis=None):
        raise ValueError("a probability is below 0")
    rows, test = tables.read_predictions(content)
    if rows.min() < 0 or len(np.unique(rows)) != len(rows):
        raise ValueError("row numbers are negative or not unique")
    if (test.predicted != table["predicted"].to_numpy()).any():
        raise ValueError("the predicted class of a row is not its most probable class")
    return rows, test


def _parse_history(content: bytes) -> History:
    history = tables.read_history(content)
    if missing := _HISTORY_COLUMNS - set(history.metrics):
        raise ValueError(f"column {names.column_name(min(missing))} is missing")
    if not np.isfinite([list(row.values()) for row in history.rows]).all():
        raise ValueError("values are missing (NaN)")
    return history


def _parse_class_names(content: bytes) -> tuple[str, ...]:
    # A class may be called "NA" or "01".
    table = pd.read_csv(BytesIO(content), usecols=["class"], dtype=str, keep_default_na=False)
    class_names = tuple(table["class"])
    if len(set(class_names)) != len(class_names):
        raise ValueError(f"expected different class names, got {len(set(class_names))} of them")
    return class_names


def _parse_folds(options: Crossval, content: bytes) -> tuple[float, ...]:
    """Accuracy of each fold on its held-out rows, ordered by (repeat, fold)."""
    table = pd.read_csv(BytesIO(content)).sort_values([names.REPEAT, names.FOLD])
    expected = pd.MultiIndex.from_product(
        (range(1, options.repeats + 1), range(1, options.folds + 1))
    )
    if not pd.MultiIndex.from_frame(table[[names.REPEAT, names.FOLD]]).equals(expected):
        raise ValueError(f"expected {len(expected)} folds, got {len(table)}")
    accuracies = table[names.column_name(names.FOLD_ACCURACY)].to_numpy(np.float64)
    if not ((accuracies >= 0) & (accuracies <= 1)).all():
        raise ValueError("an accuracy is not between 0 and 1")
    return tuple(accuracies.tolist())
