"""One fold as its run keeps it: numbers to chart, files that it can be read back from."""

import math
from collections.abc import Iterable

from fmnist import names
from fmnist.evaluation import metrics, tables
from fmnist.results.training import FoldFailed, FoldResult, Key, StoredFold
from fmnist.training import report


def fold_metrics(result: FoldResult) -> dict[str, float]:
    """Scores on the held-out rows (`fold_…`), on the test rows (`test_…`), and of the fit."""
    held_out = result.held_out
    return (
        report.fit_metrics(result.history)
        | report.test_metrics(result.test)
        | {
            names.FOLD_ACCURACY: metrics.accuracy(held_out),
            names.FOLD_LOSS: metrics.cross_entropy(held_out),
            names.FOLD_MACRO_F1: metrics.macro_f1(held_out),
            names.FOLD_ECE: metrics.expected_calibration_error(held_out),
            names.FOLD_SECONDS: result.seconds,
            names.PEAK_MEMORY_BYTES: result.peak_bytes,
        }
    )


def fold_files(result: FoldResult) -> dict[str, bytes]:
    """All of the result that is no single number, by artifact name."""
    return {
        names.TABLE_HISTORY: tables.history_csv(result.history),
        names.PREDICTIONS_FOLD: tables.predictions_parquet(result.held_out, result.rows),
        names.PREDICTIONS_TEST: tables.predictions_parquet(result.test),
    }


def entry(
    result: FoldResult | FoldFailed,
) -> tuple[str, dict[str, float], dict[str, bytes]]:
    """What the fold's run holds: its name, its metrics and its files."""
    name = fold_name(result.key)
    if isinstance(result, FoldFailed):
        return name, {}, {names.ERROR_TEXT: (result.traceback or result.reason).encode()}
    return name, fold_metrics(result), fold_files(result)


def read_folds(stored: Iterable[StoredFold]) -> dict[Key, FoldResult]:
    """The results that stored folds were made of, by fold; equal but for `finished_at`.

    A fold whose files are not whole is left out, so that it is trained again.
    """
    results = {}
    for fold in stored:
        try:
            results[fold.key] = _read_fold(fold)
        except (KeyError, ValueError, OSError) as error:
            print(f"{fold_name(fold.key)} is trained again, its stored files are damaged: {error}")
    return results


def _read_fold(stored: StoredFold) -> FoldResult:
    rows, held_out = tables.read_predictions(stored.files[names.PREDICTIONS_FOLD])
    _, test = tables.read_predictions(stored.files[names.PREDICTIONS_TEST])
    return FoldResult(
        repeat=stored.key[0],
        fold=stored.key[1],
        history=tables.read_history(stored.files[names.TABLE_HISTORY]),
        rows=rows,
        held_out=held_out,
        test=test,
        seconds=stored.metrics[names.FOLD_SECONDS],
        peak_bytes=int(stored.metrics[names.PEAK_MEMORY_BYTES]),
        finished_at=math.nan,
    )


def told(result: FoldResult | FoldFailed, done: int, of: int) -> str:
    """One line for a log that no terminal shows."""
    name = fold_name(result.key)
    if isinstance(result, FoldFailed):
        return f"{name} FAILED: {result.reason} ({done} of {of})"
    return (
        f"{name}: held-out accuracy {metrics.accuracy(result.held_out):.4f}, test accuracy "
        f"{metrics.accuracy(result.test):.4f}, {result.seconds:.0f} s ({done} of {of})"
    )


def fold_name(key: Key) -> str:
    """What a fold is called in logs and in the list of runs."""
    repeat, fold = key
    return f"repeat {repeat} fold {fold}" if repeat > 1 else f"fold {fold}"
