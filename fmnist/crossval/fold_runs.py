"""Folds as runs nested in the run of their cross-validation."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fmnist import names
from fmnist.evaluation import metrics as scores
from fmnist.evaluation import tables
from fmnist.results.training import FoldFailed, FoldResult, Key
from fmnist.tracking.nested import NestedRun, finished_children, log_nested_run
from fmnist.tracking.run import Run
from fmnist.training.report import fit_metrics, test_metrics


def log_fold(
    run: Run,
    result: FoldResult | FoldFailed,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    inputs: Sequence[Mapping[str, Any]],
) -> None:
    """Store a fold as a nested run; the times of its epochs are approximate.

    Args:
        params, tags: of the cross-validation.
        inputs: the rows of the fold, see `fmnist.tracking.inputs.describe_inputs`.
    """
    name = format_name(result.key)
    params = {**params, names.REPEAT: str(result.repeat), names.FOLD: str(result.fold)}
    tags = {**tags, names.TAG_KIND: "fold"}
    if isinstance(result, FoldFailed):
        now = time.time()
        files = {names.ERROR_TEXT: (result.traceback or result.reason).encode()}
        fold = NestedRun(
            name, params, tags, now, now, files=files, inputs=inputs, error=result.reason
        )
    else:
        ended, seconds = result.finished_at, result.history.column(names.EPOCH_SECONDS)
        fold = NestedRun(
            name,
            params,
            tags,
            started=ended - result.seconds,
            ended=ended,
            history=[
                (ended - sum(seconds[epoch:]), row)
                for epoch, row in enumerate(result.history.rows, start=1)
            ],
            metrics=compute_metrics(result),
            files=create_files(result),
            inputs=inputs,
        )
    log_nested_run(run, fold)


def read_finished_folds(run: Run) -> dict[Key, FoldResult]:
    """Return the folds of a cross-validation that an earlier process has finished."""
    results = {}
    for fold, files in finished_children(run, "fold"):
        try:
            result = read_fold(fold.parameters, fold.metrics, files)
            results[result.key] = result
        except (KeyError, ValueError, OSError) as error:
            print(f"{fold.name} is trained again, its stored files are damaged: {error}")
    return results


def format_name(key: Key) -> str:
    """Return the name of a fold in messages and of its run."""
    repeat, fold = key
    return f"repeat {repeat} fold {fold}" if repeat > 1 else f"fold {fold}"


def format_fold(result: FoldResult | FoldFailed) -> str:
    """Describe a finished fold in one line."""
    name = format_name(result.key)
    if isinstance(result, FoldFailed):
        return f"{name} FAILED: {result.reason}"
    return (
        f"{name}: held-out accuracy {scores.accuracy(result.held_out):.4f}, "
        f"test {scores.accuracy(result.test):.4f}, {result.seconds:.0f} s"
    )


def compute_metrics(result: FoldResult) -> dict[str, float]:
    """Return the metrics of a fold: `fold_…` on the held-out rows, `test_…` on the test rows."""
    held_out = result.held_out
    return (
        fit_metrics(result.history)
        | test_metrics(result.test)
        | {
            names.FOLD_ACCURACY: scores.accuracy(held_out),
            names.FOLD_LOSS: scores.cross_entropy(held_out),
            names.FOLD_MACRO_F1: scores.macro_f1(held_out),
            names.FOLD_ECE: scores.expected_calibration_error(held_out),
            names.FOLD_SECONDS: result.seconds,
            names.PEAK_MEMORY_BYTES: result.peak_bytes,
        }
    )


def create_files(result: FoldResult) -> dict[str, bytes]:
    """Return the artifacts of a fold by name."""
    return {
        names.TABLE_HISTORY: tables.history_csv(result.history),
        names.PREDICTIONS_FOLD: tables.predictions_parquet(result.held_out, result.rows),
        names.PREDICTIONS_TEST: tables.predictions_parquet(result.test),
    }


def read_fold(
    parameters: Mapping[str, str], metrics: Mapping[str, float], files: Mapping[str, bytes]
) -> FoldResult:
    """Read the result of a fold from its run.

    Raises:
        KeyError, ValueError, OSError: the files are incomplete or damaged.
    """
    rows, held_out = tables.read_predictions(files[names.PREDICTIONS_FOLD])
    _, test = tables.read_predictions(files[names.PREDICTIONS_TEST])
    return FoldResult(
        repeat=int(parameters[names.REPEAT]),
        fold=int(parameters[names.FOLD]),
        history=tables.read_history(files[names.TABLE_HISTORY]),
        rows=rows,
        held_out=held_out,
        test=test,
        seconds=metrics[names.FOLD_SECONDS],
        peak_bytes=int(metrics[names.PEAK_MEMORY_BYTES]),
        finished_at=math.nan,
    )
