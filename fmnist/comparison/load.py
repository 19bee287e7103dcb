"""Load the runs to compare from the tracking store and validate their artifacts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import Final, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from fmnist import names
from fmnist.comparison import select
from fmnist.comparison.results import CrossvalRun, ExcludedRun, NearDuplicateCount, TrainRun
from fmnist.errors import BadInput
from fmnist.evaluation import metrics, tables
from fmnist.options import Crossval, Options, Train
from fmnist.options.train import FROM_SCRATCH
from fmnist.results.runs import RunRecord
from fmnist.results.training import Evaluation, History, Key
from fmnist.tracking.search import RunStore

_TRAIN_FILES: Final = (names.PREDICTIONS_TEST, names.TABLE_HISTORY, names.TABLE_PER_CLASS)
_PREDICTION_COLUMNS: Final = ("index", "label", "predicted")
_HISTORY_COLUMNS: Final = {names.TRAIN_LOSS, names.TRAIN_ACCURACY, names.EPOCH_SECONDS}
_ACCURACY_TOLERANCE: Final = 1e-6
_SEEDS: Final = {"seed", "split_seed"}
T = TypeVar("T")

# Raised by pandas and Arrow for files that are not tables.
_READ_ERRORS: Final = (KeyError, ValueError, TypeError, OSError, pa.ArrowException)


class InvalidArtifact(Exception):
    """An artifact is missing or its content is invalid."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """The replicates of one model, sorted by seed, and the cross-validation with its options."""

    runs: tuple[TrainRun, ...]
    crossval: CrossvalRun | None


@dataclass(frozen=True, eq=False)
class LoadedRuns:
    """At least two models with predictions for the same test rows, the newest first.

    Args:
        near_duplicates: None if no run of `eda` has counted them for this data set.
    """

    models: tuple[LoadedModel, ...]
    near_duplicates: NearDuplicateCount | None
    excluded: tuple[ExcludedRun, ...]
    class_names: tuple[str, ...]
    data_digest: str

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """The compared runs of `train`."""
        return tuple(run.record for model in self.models for run in model.runs)


def load_runs(
    store: RunStore, run_ids: Sequence[str] = (), models: Sequence[str] = ()
) -> LoadedRuns:
    """Load the runs to compare and the cross-validations that belong to them.

    Args:
        run_ids: exactly these runs; empty to select runs automatically.
        models: select only runs of these models; empty for all.

    Raises:
        BadInput: a run in `run_ids` cannot be compared, or fewer than two models can.
    """
    strict = bool(run_ids)
    if strict:
        selection = select.select_by_id(store.get(run_ids))
    else:
        selection = select.select_newest(store.search("train"), models)
    runs: list[TrainRun] = []
    class_names: dict[str, tuple[str, ...]] = {}
    excluded = list(selection.excluded)
    for candidate in chain.from_iterable(selection.models):
        record = candidate.record
        try:
            files = store.download(record, _TRAIN_FILES)
            class_names[record.run_id] = _parse(files, names.TABLE_PER_CLASS, _parse_class_names)
            run = _parse_train_run(record, candidate.options, files)
            expected = len(class_names[record.run_id])
            if run.test.classes != expected:
                raise InvalidArtifact(
                    f"{names.PREDICTIONS_TEST}: expected probabilities of {expected} classes, got "
                    f"{run.test.classes}"
                )
            runs.append(run)
        except InvalidArtifact as error:
            if strict:
                raise BadInput(
                    f"runs={record.run_id} ({record.name}): {error}; train it again or leave it out"
                ) from error
            excluded.append(select.exclude(record, str(error)))
    runs, others = _select_same_rows(runs, strict)
    excluded = [*others, *excluded]
    loaded = {run.record.run_id: run for run in runs}
    groups = [
        tuple(loaded[each.record.run_id] for each in model if each.record.run_id in loaded)
        for model in selection.models
    ]
    groups = [group for group in groups if group]
    if len(groups) < 2:
        raise BadInput(_explain_too_few(store.address, runs, excluded))
    digest = runs[0].record.tags.get(names.TAG_DATA_DIGEST, "unknown")
    same_data = {names.TAG_DATA_DIGEST: digest}
    crossvals, invalid = _load_crossvals(store, groups, store.search("crossval", same_data))
    return LoadedRuns(
        models=tuple(map(LoadedModel, groups, crossvals)),
        near_duplicates=_find_near_duplicates(store.search("eda", same_data)),
        excluded=(*excluded, *invalid),
        class_names=class_names[runs[0].record.run_id],
        data_digest=digest,
    )


def _select_same_rows(
    runs: list[TrainRun], strict: bool
) -> tuple[list[TrainRun], list[ExcludedRun]]:
    """The runs with the most frequent test rows (if tied, the newest ones), and the others."""
    keys = [(run.rows.tobytes(), run.test.labels.tobytes()) for run in runs]
    same, others = select.split_by_most_frequent(runs, keys)
    if not others:
        return same, []
    if strict:
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
    found: list[CrossvalRun | None] = [None] * len(groups)
    invalid = []
    for record in records:
        if not record.is_finished:
            continue
        try:
            options = Crossval.from_text(record.parameters)
        except BadInput:  # logged by another version
            continue
        at = [
            index
            for index, (run, *_) in enumerate(groups)
            if found[index] is None and _have_same_options(run, record, options)
        ]
        if not at:
            continue
        try:
            files = store.download(record, (names.TABLE_FOLDS,))
            crossval = _parse_crossval(record, options, files)
        except InvalidArtifact as error:
            invalid.append(select.exclude(record, str(error)))
        else:
            found = [crossval if i in at else other for i, other in enumerate(found)]
    return found, invalid


def _have_same_options(run: TrainRun, record: RunRecord, options: Crossval) -> bool:
    """Whether the options that `train` and `crossval` share are equal, apart from the seeds."""
    if _shared_fields(run.options) != _shared_fields(options):
        return False
    weights = names.TAG_WEIGHTS_DIGEST
    return run.weights == "none" or run.record.tags.get(weights) == record.tags.get(weights)


def _shared_fields(options: Options) -> dict[str, str]:
    shared = Train.model_fields.keys() & Crossval.model_fields.keys() - _SEEDS
    return {name: text for name, text in options.fingerprint_fields().items() if name in shared}


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
    reasons = "".join(f"\n  {run.name} {run.run_id}: {run.reason}" for run in excluded)
    return message + (f"\nexcluded:{reasons}" if reasons else "")


def _parse_train_run(record: RunRecord, options: Train, files: Mapping[str, bytes]) -> TrainRun:
    rows, test = _parse(files, names.PREDICTIONS_TEST, _parse_predictions)
    accuracy = metrics.accuracy(test)
    logged = record.metrics.get(names.TEST_ACCURACY, accuracy)
    if not abs(accuracy - logged) <= _ACCURACY_TOLERANCE:
        raise InvalidArtifact(
            f"{names.PREDICTIONS_TEST}: its predictions have an accuracy of {accuracy:.4f}, but "
            f"the run has logged {logged:.4f}"
        )
    history = _parse(files, names.TABLE_HISTORY, _parse_history)
    return TrainRun(record, options, history, rows, test)


def _parse_crossval(
    record: RunRecord, options: Crossval, files: Mapping[str, bytes]
) -> CrossvalRun:
    accuracies = _parse(files, names.TABLE_FOLDS, _parse_folds)
    repeats, folds = range(1, options.repeats + 1), range(1, options.folds + 1)
    expected = [(repeat, fold) for repeat in repeats for fold in folds]
    if list(accuracies) != expected:
        raise InvalidArtifact(
            f"{names.TABLE_FOLDS}: expected {len(expected)} folds, got {len(accuracies)}"
        )
    return CrossvalRun(record, options, tuple(accuracies.values()))


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


def _parse_folds(content: bytes) -> dict[Key, float]:
    """Accuracy on the held-out rows by (repeat, fold), sorted."""
    table = pd.read_csv(BytesIO(content)).sort_values([names.REPEAT, names.FOLD])
    accuracies = table[names.column_name(names.FOLD_ACCURACY)].to_numpy(np.float64)
    if not ((accuracies >= 0) & (accuracies <= 1)).all():
        raise ValueError("an accuracy is not between 0 and 1")
    keys = zip(table[names.REPEAT].astype(int), table[names.FOLD].astype(int), strict=True)
    return dict(zip(keys, accuracies.tolist(), strict=True))
