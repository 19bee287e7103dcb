"""Metrics, tables, figures and description of a cross-validation and of each fold."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fmnist import names
from fmnist.crossval import plots
from fmnist.crossval.label_issues import find_label_issues
from fmnist.crossval.plots import MeanStd
from fmnist.data.dataset import FASHION_MNIST_DIGEST
from fmnist.errors import WorkFailed
from fmnist.evaluation import metrics as scores
from fmnist.evaluation import tables
from fmnist.evaluation.crossval_statistics import crossval_interval, prediction_interval
from fmnist.options import Crossval
from fmnist.plots.style import to_png
from fmnist.results.training import Evaluation, FoldFailed, FoldResult, Key
from fmnist.training.report import fit_metrics, test_metrics

# Test accuracy of the five folds of LeNet-5 in the reference report.
_REFERENCE: Final = MeanStd(0.8771, 0.0033)
_FREE_OPTIONS: Final = {"seed", "split_seed", "repeats"}


def find_reference(options: Crossval, data_digest: str) -> MeanStd | None:
    """Return the reference report's test accuracy if model, settings and data are the same."""
    fields, expected = options.fingerprint_fields(), Crossval().fingerprint_fields()
    same = all(fields[name] == expected[name] for name in fields.keys() - _FREE_OPTIONS)
    return _REFERENCE if same and data_digest == FASHION_MNIST_DIGEST else None


def format_fold_name(key: Key) -> str:
    """Return the name of a fold in messages and of its run."""
    repeat, fold = key
    return f"repeat {repeat} fold {fold}" if repeat > 1 else f"fold {fold}"


def compute_fold_metrics(result: FoldResult) -> dict[str, float]:
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


def create_fold_files(result: FoldResult | FoldFailed) -> dict[str, bytes]:
    """Return the artifacts of a fold by name; `read_fold` reads those of a FoldResult."""
    if isinstance(result, FoldFailed):
        return {names.ERROR_TEXT: (result.traceback or result.reason).encode()}
    return {
        names.TABLE_HISTORY: tables.history_csv(result.history),
        names.PREDICTIONS_FOLD: tables.predictions_parquet(result.held_out, result.rows),
        names.PREDICTIONS_TEST: tables.predictions_parquet(result.test),
    }


def format_fold(result: FoldResult | FoldFailed) -> str:
    """Describe a finished fold in one line."""
    name = format_fold_name(result.key)
    if isinstance(result, FoldFailed):
        return f"{name} FAILED: {result.reason}"
    return (
        f"{name}: held-out accuracy {scores.accuracy(result.held_out):.4f}, "
        f"test {scores.accuracy(result.test):.4f}, {result.seconds:.0f} s"
    )


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


def require_all(results: Mapping[Key, FoldResult | FoldFailed]) -> list[FoldResult]:
    """Return the results in the order of the folds.

    Raises:
        WorkFailed: folds failed; the message names each with its reason.
    """
    ordered = [result for _, result in sorted(results.items())]
    failed = [result for result in ordered if isinstance(result, FoldFailed)]
    finished = [result for result in ordered if isinstance(result, FoldResult)]
    if failed:
        reasons = "".join(f"\n  {format_fold_name(fold.key)}: {fold.reason}" for fold in failed)
        raise WorkFailed(
            f"{len(failed)} of {len(results)} folds failed. The other {len(finished)} are stored; "
            f"the same command trains only those that failed:{reasons}"
        )
    return finished


def compute_metrics(results: Sequence[FoldResult], folds: int) -> dict[str, float]:
    """Return the metrics of the cross-validation; standard deviations are the population's."""
    held_out, test = _held_out_accuracies(results), _test_accuracies(results)
    low, high = _clip(crossval_interval(held_out, folds))
    out_of_fold = Evaluation(
        np.concatenate([result.held_out.labels for result in results]),
        np.concatenate([result.held_out.probabilities for result in results]),
    )
    return {
        names.CV_VAL_ACCURACY_MEAN: float(np.mean(held_out)),
        names.CV_VAL_ACCURACY_STD: float(np.std(held_out)),
        names.CV_VAL_ACCURACY_LOW: low,
        names.CV_VAL_ACCURACY_HIGH: high,
        names.CV_VAL_ACCURACY_WORST: min(held_out),
        names.CV_TEST_ACCURACY_MEAN: float(np.mean(test)),
        names.CV_TEST_ACCURACY_STD: float(np.std(test)),
        names.CV_OOF_ACCURACY: scores.accuracy(out_of_fold),
        names.CV_FOLDS: len(results),
        names.PEAK_MEMORY_BYTES: max(result.peak_bytes for result in results),
    }


def create_files(
    model: str,
    results: Sequence[FoldResult],
    reference: MeanStd | None,
    images: npt.NDArray[np.uint8],
    class_names: Sequence[str],
) -> dict[str, bytes]:
    """Return the figures and tables of the cross-validation by artifact name.

    Args:
        images: (n, 28, 28) uint8, all images of the training file.
        class_names: names in label order.
    """
    held_out, test = _held_out_accuracies(results), _test_accuracies(results)
    accuracies = plots.plot_accuracies(held_out, test, model, reference)
    convergence = plots.plot_convergence([result.history for result in results], model)
    table = pd.DataFrame(
        [
            {
                names.REPEAT: result.repeat,
                names.FOLD: result.fold,
                "held_out_rows": len(result.rows),
                **tables.to_columns(compute_fold_metrics(result)),
            }
            for result in results
        ]
    )
    issues = find_label_issues(results, class_names)
    return {
        names.FIGURE_CV_ACCURACY: to_png(accuracies),
        names.FIGURE_CV_CONVERGENCE: to_png(convergence),
        names.FIGURE_LABEL_ISSUES: to_png(plots.plot_label_issues(issues, images, model)),
        names.TABLE_LABEL_ISSUES: issues.to_csv(index=False).encode(),
        names.TABLE_FOLDS: table.to_csv(index=False).encode(),
        names.PREDICTIONS_OUT_OF_FOLD: tables.out_of_fold_parquet(results),
    }


def describe_run(
    model: str, results: Sequence[FoldResult], folds: int, reference: MeanStd | None
) -> str:
    """Describe the accuracy and its uncertainty in Markdown."""
    values = compute_metrics(results, folds)
    worst = min(results, key=lambda result: scores.accuracy(result.held_out))
    compared = ""
    if reference:
        compared = f" (reference report: {reference.mean:.4f} ± {reference.std:.4f})"
    return (
        f"**{model}: held-out accuracy {values[names.CV_VAL_ACCURACY_MEAN]:.4f} ± "
        f"{values[names.CV_VAL_ACCURACY_STD]:.4f}** (mean ± population standard deviation of "
        f"{len(results)} folds; 95 % confidence interval of the mean "
        f"{values[names.CV_VAL_ACCURACY_LOW]:.4f} to {values[names.CV_VAL_ACCURACY_HIGH]:.4f}, "
        "with the correction of Nadeau and Bengio for overlapping training rows). Worst: "
        f"{format_fold_name(worst.key)} with {values[names.CV_VAL_ACCURACY_WORST]:.4f}. Test "
        f"accuracy of the same models: {values[names.CV_TEST_ACCURACY_MEAN]:.4f} ± "
        f"{values[names.CV_TEST_ACCURACY_STD]:.4f}{compared}."
    )


def find_drift(current: Mapping[str, float], earlier: Sequence[Mapping[str, float]]) -> str | None:
    """Return a message if the mean accuracy is outside the prediction interval of earlier runs.

    Args:
        current: the metrics of this run, see `compute_metrics`.
        earlier: metrics of runs with the same configuration, newest first; fewer than two raise
            no alarm.
    """
    earlier = [run for run in earlier if names.CV_VAL_ACCURACY_MEAN in run]
    if len(earlier) < 2:
        return None
    means = [run[names.CV_VAL_ACCURACY_MEAN] for run in earlier]
    low, high = _clip(
        prediction_interval(
            means, earlier[0][names.CV_VAL_ACCURACY_STD], int(current[names.CV_FOLDS])
        )
    )
    mean = current[names.CV_VAL_ACCURACY_MEAN]
    if low <= mean <= high:
        return None
    return (
        f"drift: held-out accuracy {mean:.4f} is outside the interval {low:.4f} to {high:.4f} "
        f"expected from {len(earlier)} earlier runs of the same configuration; check what changed: "
        "machine, system libraries, hardware"
    )


def _clip(interval: tuple[float, float]) -> tuple[float, float]:
    """Limit an interval of accuracies, computed from a t distribution, to 0 to 1."""
    low, high = interval
    return max(0.0, low), min(1.0, high)


def _held_out_accuracies(results: Sequence[FoldResult]) -> list[float]:
    return [scores.accuracy(result.held_out) for result in results]


def _test_accuracies(results: Sequence[FoldResult]) -> list[float]:
    return [scores.accuracy(result.test) for result in results]
