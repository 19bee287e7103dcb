"""A training run as others see it: numbers to chart, files to look at, a few sentences."""

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.evaluation import metrics as scores
from fmnist.evaluation import tables
from fmnist.evaluation.statistics import wilson_interval
from fmnist.plots import confusion, curves
from fmnist.plots.style import to_png
from fmnist.results.training import Evaluation, History
from fmnist.training import plots_mistakes


def fit_metrics(history: History) -> dict[str, float]:
    """What the run's curves end with, and their best epoch, as metrics that a run has once.

    The best epoch is that of the lowest validation loss; `best_val_accuracy` is its accuracy.
    """
    metrics = {
        names.FINAL_TRAIN_ACCURACY: history.column(names.TRAIN_ACCURACY)[-1],
        names.FIT_SECONDS: sum(history.column(names.EPOCH_SECONDS)),
    }
    if names.VAL_LOSS in history.metrics:
        best = history.rows[history.best_epoch - 1]
        metrics |= {
            names.FINAL_VAL_ACCURACY: history.column(names.VAL_ACCURACY)[-1],
            names.BEST_EPOCH: history.best_epoch,
            names.BEST_VAL_LOSS: best[names.VAL_LOSS],
            names.BEST_VAL_ACCURACY: best[names.VAL_ACCURACY],
        }
    return metrics


def test_metrics(evaluation: Evaluation) -> dict[str, float]:
    """The scores on the test rows."""
    return {
        names.TEST_ACCURACY: scores.accuracy(evaluation),
        names.TEST_LOSS: scores.cross_entropy(evaluation),
        names.TEST_MACRO_F1: scores.macro_f1(evaluation),
        names.TEST_ECE: scores.expected_calibration_error(evaluation),
    }


def files(
    model: str,
    history: History,
    evaluation: Evaluation,
    images: npt.NDArray[np.uint8],
    class_names: tuple[str, ...],
) -> dict[str, bytes]:
    """The figures and tables of the run, by their artifact names.

    Args:
        images: (n, 28, 28) uint8, the evaluated images in the order of `evaluation`.
    """
    figures = {
        names.FIGURE_ACCURACY: curves.accuracy({model: history}),
        names.FIGURE_CONVERGENCE: curves.convergence({model: history}),
        names.FIGURE_CONFUSION: confusion.confusion_matrix(evaluation, class_names),
        names.FIGURE_MISTAKES: plots_mistakes.mistakes(images, evaluation, class_names),
    }
    return {name: to_png(figure) for name, figure in figures.items()} | {
        names.TABLE_HISTORY: tables.history_csv(history),
        names.TABLE_PER_CLASS: tables.per_class_csv(scores.per_class(evaluation), class_names),
        names.PREDICTIONS_TEST: tables.predictions_parquet(evaluation),
    }


def validation_file(
    rows: npt.NDArray[np.int64],
    labels: npt.NDArray[np.uint8],
    probabilities: npt.NDArray[np.float32],
) -> dict[str, bytes]:
    """The answers on the rows held out, by artifact name; nothing where none were.

    Args:
        rows: (m,) int64, their numbers in the training file.
        labels: (m,) uint8.
        probabilities: (m, 10) float32.
    """
    if not len(rows):
        return {}
    answers = Evaluation(labels.astype(np.int64), probabilities)
    return {names.PREDICTIONS_VALIDATION: tables.predictions_parquet(answers, rows)}


def note(
    model: str, history: History, kept: int, evaluation: Evaluation, class_names: tuple[str, ...]
) -> str:
    """A few sentences on what was trained and how well it does, in Markdown.

    Args:
        kept: the epoch, counted from 1, whose weights were evaluated.
    """
    right = int((evaluation.predicted == evaluation.labels).sum())
    low, high = wilson_interval(right, len(evaluation.labels))
    hardest = min(scores.per_class(evaluation), key=lambda score: score.f1)
    lines = [
        f"**{model}: test accuracy {right / len(evaluation.labels):.4f}** "
        f"({right:,} of {len(evaluation.labels):,} images; 95 % Wilson interval "
        f"{low:.4f} to {high:.4f}).",
        f"Weights of epoch {kept} of {history.epochs}.",
        f"Hardest class: {class_names[hardest.label]} (F1 {hardest.f1:.3f}).",
    ]
    if names.VAL_LOSS in history.metrics:
        row = history.rows[kept - 1]
        lines[1] = (
            f"Weights of epoch {kept} of {history.epochs}: training accuracy "
            f"{row[names.TRAIN_ACCURACY]:.4f}, validation accuracy {row[names.VAL_ACCURACY]:.4f}."
        )
    return " ".join(lines)
