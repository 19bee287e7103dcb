"""A cross-validation as others see it: numbers to chart, files to look at, a few sentences."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fmnist import names
from fmnist.crossval import plots as figures
from fmnist.crossval.fold_report import fold_metrics, fold_name
from fmnist.errors import WorkFailed
from fmnist.evaluation import metrics as scores
from fmnist.evaluation import tables
from fmnist.evaluation.statistics import crossval_interval, prediction_interval
from fmnist.plots.style import to_png
from fmnist.results.training import Evaluation, FoldFailed, FoldResult, Key


def held_out_accuracies(results: Sequence[FoldResult]) -> list[float]:
    """The accuracy of each fold on the rows that its network has not seen."""
    return [scores.accuracy(result.held_out) for result in results]


def test_accuracies(results: Sequence[FoldResult]) -> list[float]:
    """The accuracy of each fold's network on the test rows, the report's protocol."""
    return [scores.accuracy(result.test) for result in results]


def complete(results: Mapping[Key, FoldResult | FoldFailed]) -> list[FoldResult]:
    """The results in the order of the folds.

    Raises:
        WorkFailed: a fold has none; the message names each with its reason.
    """
    whole = [r for _, r in sorted(results.items()) if isinstance(r, FoldResult)]
    failures = [r for _, r in sorted(results.items()) if isinstance(r, FoldFailed)]
    if failures:
        reasons = "".join(f"\n  {fold_name(r.key)}: {r.reason}" for r in failures)
        raise WorkFailed(
            f"{len(failures)} of {len(results)} folds failed; the other {len(whole)} are kept, and "
            f"the same command trains only those that failed:{reasons}"
        )
    return whole


def metrics(results: Sequence[FoldResult], folds: int) -> dict[str, float]:
    """The parent run's metrics; the standard deviation is the population's, as in the report."""
    held_out, test = held_out_accuracies(results), test_accuracies(results)
    low, high = crossval_interval(held_out, folds)
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
        names.CV_WORKER_PEAK_BYTES: max(result.peak_bytes for result in results),
    }


def files(model: str, results: Sequence[FoldResult]) -> dict[str, bytes]:
    """The figures and tables of the parent run, by their artifact names."""
    drawn = {
        names.FIGURE_CV_ACCURACY: figures.accuracies(
            held_out_accuracies(results), test_accuracies(results), model
        ),
        names.FIGURE_CV_CONVERGENCE: figures.convergence([r.history for r in results], model),
    }
    table = pd.DataFrame(
        [
            {
                names.REPEAT: result.repeat,
                names.FOLD: result.fold,
                "held_out_rows": len(result.rows),
                **fold_metrics(result),
            }
            for result in results
        ]
    )
    return {name: to_png(figure) for name, figure in drawn.items()} | {
        names.TABLE_FOLDS: table.to_csv(index=False).encode(),
        names.PREDICTIONS_OUT_OF_FOLD: tables.out_of_fold_parquet(results),
    }


def note(model: str, results: Sequence[FoldResult], folds: int) -> str:
    """A few sentences on how well it does and how sure that is, in Markdown."""
    told = metrics(results, folds)
    worst = min(results, key=lambda result: scores.accuracy(result.held_out))
    return (
        f"**{model}: held-out accuracy {told[names.CV_VAL_ACCURACY_MEAN]:.4f} ± "
        f"{told[names.CV_VAL_ACCURACY_STD]:.4f}** (mean ± population standard deviation of "
        f"{len(results)} folds; 95 % interval of the mean {told[names.CV_VAL_ACCURACY_LOW]:.4f} to "
        f"{told[names.CV_VAL_ACCURACY_HIGH]:.4f}, t corrected for overlapping training rows after "
        f"Nadeau and Bengio). Worst: {fold_name(worst.key)} with "
        f"{told[names.CV_VAL_ACCURACY_WORST]:.4f}. The same networks on the test images, the "
        f"report's protocol: {told[names.CV_TEST_ACCURACY_MEAN]:.4f} ± "
        f"{told[names.CV_TEST_ACCURACY_STD]:.4f} (report: {figures.REPORT_MEAN:.4f} ± "
        f"{figures.REPORT_STD:.4f})."
    )


def alarm(told: Mapping[str, float], earlier: Sequence[Mapping[str, float]]) -> str | None:
    """What is unlike before, when the mean lies outside the interval of earlier runs; else None.

    Args:
        told: the metrics of this run, see `metrics`.
        earlier: the same of earlier runs of the same configuration, the newest first; fewer than
            two say nothing.
    """
    earlier = [run for run in earlier if names.CV_VAL_ACCURACY_MEAN in run]
    if len(earlier) < 2:
        return None
    means = [run[names.CV_VAL_ACCURACY_MEAN] for run in earlier]
    low, high = prediction_interval(
        means, earlier[0][names.CV_VAL_ACCURACY_STD], int(told[names.CV_FOLDS])
    )
    mean = told[names.CV_VAL_ACCURACY_MEAN]
    if low <= mean <= high:
        return None
    return (
        f"drift: held-out accuracy {mean:.4f} lies outside {low:.4f} to {high:.4f}, where "
        f"{len(earlier)} earlier runs of the same configuration put it; look for what has "
        "changed: machine, libraries of the system, hardware"
    )
