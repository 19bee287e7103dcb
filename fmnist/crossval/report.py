"""Metrics, tables, figures and description of a cross-validation."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from fmnist import names
from fmnist.crossval import fold_runs, plots
from fmnist.crossval.label_issues import find_label_issues
from fmnist.crossval.plots import MeanStd
from fmnist.data.dataset import FASHION_MNIST_DIGEST, FashionMNIST
from fmnist.errors import WorkFailed
from fmnist.evaluation import tables
from fmnist.evaluation.crossval_statistics import crossval_interval, prediction_interval
from fmnist.evaluation.metrics import accuracy
from fmnist.options import Crossval
from fmnist.plots.style import to_png
from fmnist.results.training import FoldFailed, FoldResult, Key

# Test accuracy of the five folds of LeNet-5 in the reference report.
_REFERENCE: Final = MeanStd(0.8771, 0.0033)
_FREE_OPTIONS: Final = {"seed", "split_seed", "repeats"}


def find_reference(options: Crossval, data_digest: str) -> MeanStd | None:
    """Return the reference report's test accuracy if model, settings and data are the same."""
    fields, expected = options.fingerprint_fields(), Crossval().fingerprint_fields()
    same = all(fields[name] == expected[name] for name in fields.keys() - _FREE_OPTIONS)
    return _REFERENCE if same and data_digest == FASHION_MNIST_DIGEST else None


def require_all(results: Mapping[Key, FoldResult | FoldFailed]) -> list[FoldResult]:
    """Return the results in the order of the folds.

    Raises:
        WorkFailed: folds failed; the message names each with its reason.
    """
    ordered = [result for _, result in sorted(results.items())]
    failed = [result for result in ordered if isinstance(result, FoldFailed)]
    finished = [result for result in ordered if isinstance(result, FoldResult)]
    if failed:
        reasons = "".join(f"\n  {fold_runs.format_name(f.key)}: {f.reason}" for f in failed)
        raise WorkFailed(
            f"{len(failed)} of {len(results)} folds failed. The other {len(finished)} are stored; "
            f"the same command trains only those that failed:{reasons}"
        )
    return finished


def compute_metrics(results: Sequence[FoldResult], folds: int) -> dict[str, float]:
    """Return the metrics of the cross-validation; standard deviations are the population's."""
    held_out = [accuracy(result.held_out) for result in results]
    test = [accuracy(result.test) for result in results]
    low, high = np.clip(crossval_interval(held_out, folds), 0, 1)
    return {
        names.CV_VAL_ACCURACY_MEAN: float(np.mean(held_out)),
        names.CV_VAL_ACCURACY_STD: float(np.std(held_out)),
        names.CV_VAL_ACCURACY_LOW: float(low),
        names.CV_VAL_ACCURACY_HIGH: float(high),
        names.CV_VAL_ACCURACY_WORST: min(held_out),
        names.CV_TEST_ACCURACY_MEAN: float(np.mean(test)),
        names.CV_TEST_ACCURACY_STD: float(np.std(test)),
        names.CV_OOF_ACCURACY: float(np.average(held_out, weights=[len(r.rows) for r in results])),
        names.CV_FOLDS: len(results),
        names.PEAK_MEMORY_BYTES: max(result.peak_bytes for result in results),
    }


def create_files(
    model: str, results: Sequence[FoldResult], reference: MeanStd | None, data: FashionMNIST
) -> dict[str, bytes]:
    """Return the figures and tables of the cross-validation by artifact name."""
    table = pd.DataFrame(
        [
            {
                names.REPEAT: result.repeat,
                names.FOLD: result.fold,
                "held_out_rows": len(result.rows),
                **tables.to_columns(fold_runs.compute_metrics(result)),
            }
            for result in results
        ]
    )
    issues = find_label_issues(results, data.class_names)
    figures = {
        names.FIGURE_CV_ACCURACY: plots.plot_accuracies(
            [accuracy(result.held_out) for result in results],
            [accuracy(result.test) for result in results],
            model,
            reference,
        ),
        names.FIGURE_CV_CONVERGENCE: plots.plot_convergence([r.history for r in results], model),
        names.FIGURE_LABEL_ISSUES: plots.plot_label_issues(issues, data.train.images, model),
    }
    return {name: to_png(figure) for name, figure in figures.items()} | {
        names.TABLE_LABEL_ISSUES: issues.to_csv(index=False).encode(),
        names.TABLE_FOLDS: table.to_csv(index=False).encode(),
        names.PREDICTIONS_OUT_OF_FOLD: tables.out_of_fold_parquet(results),
    }


def describe_run(
    model: str,
    results: Sequence[FoldResult],
    metrics: Mapping[str, float],
    reference: MeanStd | None,
) -> str:
    """Describe the accuracy and its uncertainty in Markdown."""
    worst = min(results, key=lambda result: accuracy(result.held_out))
    compared = ""
    if reference:
        compared = f" (reference report: {reference.mean:.4f} ± {reference.std:.4f})"
    return (
        f"**{model}: held-out accuracy {metrics[names.CV_VAL_ACCURACY_MEAN]:.4f} ± "
        f"{metrics[names.CV_VAL_ACCURACY_STD]:.4f}** (mean ± population standard deviation of "
        f"{len(results)} folds; 95 % confidence interval of the mean "
        f"{metrics[names.CV_VAL_ACCURACY_LOW]:.4f} to {metrics[names.CV_VAL_ACCURACY_HIGH]:.4f}, "
        "with the correction of Nadeau and Bengio for overlapping training rows). Worst: "
        f"{fold_runs.format_name(worst.key)} with {metrics[names.CV_VAL_ACCURACY_WORST]:.4f}. Test "
        f"accuracy of the same models: {metrics[names.CV_TEST_ACCURACY_MEAN]:.4f} ± "
        f"{metrics[names.CV_TEST_ACCURACY_STD]:.4f}{compared}."
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
    std, folds = earlier[0][names.CV_VAL_ACCURACY_STD], int(current[names.CV_FOLDS])
    low, high = np.clip(prediction_interval(means, std, folds), 0, 1)
    mean = current[names.CV_VAL_ACCURACY_MEAN]
    if low <= mean <= high:
        return None
    return (
        f"drift: held-out accuracy {mean:.4f} is outside the interval {low:.4f} to {high:.4f} "
        f"expected from {len(earlier)} earlier runs of the same configuration; check what changed: "
        "machine, system libraries, hardware"
    )
