"""Metrics, files and description of a training run."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.evaluation import metrics, tables
from fmnist.evaluation.statistics import wilson_interval
from fmnist.options import Train
from fmnist.plots import confusion
from fmnist.plots.style import to_png
from fmnist.results.training import Evaluation, History
from fmnist.training import plots

if TYPE_CHECKING:
    import keras


def fit_metrics(history: History) -> dict[str, float]:
    """Metrics of the fit; the best epoch has the lowest validation loss."""
    values = {names.FIT_SECONDS: sum(history.column(names.EPOCH_SECONDS))}
    if names.VAL_LOSS in history.metrics:
        best = history.rows[history.best_epoch - 1]
        values |= {
            names.BEST_EPOCH: history.best_epoch,
            names.BEST_VAL_ACCURACY: best[names.VAL_ACCURACY],
        }
    return values


def test_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Scores on the test data."""
    return {
        names.TEST_ACCURACY: metrics.accuracy(evaluation),
        names.TEST_LOSS: metrics.cross_entropy(evaluation),
        names.TEST_MACRO_F1: metrics.macro_f1(evaluation),
        names.TEST_BALANCED_ACCURACY: metrics.balanced_accuracy(evaluation),
        names.TEST_ECE: metrics.expected_calibration_error(evaluation),
    }


def size_metrics(model: "keras.Model") -> dict[str, float]:
    """Number of parameters, in total and trainable."""
    trainable = sum(int(weight.shape.num_elements()) for weight in model.trainable_weights)
    return {names.PARAMETERS_TOTAL: model.count_params(), names.PARAMETERS_TRAINABLE: trainable}


def format_summary(model: "keras.Model") -> str:
    """Keras's table of layers, shapes and parameters."""
    lines: list[str] = []
    model.summary(print_fn=lines.append, line_length=88)
    return "\n".join(lines) + "\n"


def describe_training_metrics(options: Train) -> str:
    """Say how training metrics are measured: validation has none of these handicaps."""
    moves = options.flip == "on" or options.translate
    handicaps = {
        "dropout": options.dropout,
        "augmentation": moves or options.random_erasing or options.mixup,
        "label smoothing": options.label_smoothing,
    }
    text = ", ".join(name for name, active in handicaps.items() if active)
    return plots.TRAINING_MEANING.replace(")", f", with {text})" if text else ")")


def create_files(
    title: str,
    options: Train,
    history: History,
    epoch: int,
    evaluation: Evaluation,
    images: npt.NDArray[np.uint8],
    class_names: tuple[str, ...],
) -> dict[str, bytes]:
    """Create the figures and tables of the test data and of the history, by artifact name.

    Args:
        title: name of the model.
        epoch: the epoch, starting at 1, whose weights were evaluated.
        images: (n, 28, 28) uint8, the test images.
    """
    described = title, epoch, describe_training_metrics(options)
    figures = {
        names.FIGURE_ACCURACY: plots.plot_history(history, "accuracy", *described),
        names.FIGURE_CONVERGENCE: plots.plot_history(history, "loss", *described),
        names.FIGURE_CONFUSION: confusion.plot_confusion_matrix(evaluation, class_names),
        names.FIGURE_MISTAKES: plots.plot_mistakes(images, evaluation, class_names),
    }
    return {name: to_png(figure) for name, figure in figures.items()} | {
        names.TABLE_HISTORY: tables.history_csv(history),
        names.TABLE_PER_CLASS: tables.per_class_csv(metrics.per_class(evaluation), class_names),
        names.PREDICTIONS_TEST: tables.predictions_parquet(evaluation),
    }


def create_validation_file(
    rows: npt.NDArray[np.int64],
    labels: npt.NDArray[np.uint8],
    probabilities: npt.NDArray[np.float32],
) -> dict[str, bytes]:
    """Create the table of validation predictions, by artifact name; nothing without such rows.

    Args:
        rows: (m,) int64, row numbers in the training file.
        labels: (m,) uint8.
        probabilities: (m, classes) float32.
    """
    if not len(rows):
        return {}
    evaluation = Evaluation(labels.astype(np.int64), probabilities)
    return {names.PREDICTIONS_VALIDATION: tables.predictions_parquet(evaluation, rows)}


def describe_run(
    title: str,
    history: History,
    epoch: int,
    evaluation: Evaluation,
    class_names: tuple[str, ...],
) -> str:
    """Describe model and test accuracy in a few sentences of Markdown.

    Args:
        epoch: the epoch, starting at 1, whose weights were evaluated.
    """
    total = len(evaluation.labels)
    correct = int((evaluation.predicted == evaluation.labels).sum())
    low, high = wilson_interval(correct, total)
    scores = [score for score in metrics.per_class(evaluation) if score.support]
    hardest = min(scores, key=lambda score: score.f1)
    row = history.rows[epoch - 1]
    accuracies = f"training accuracy {row[names.TRAIN_ACCURACY]:.4f}"
    if names.VAL_ACCURACY in row:
        accuracies += f", validation accuracy {row[names.VAL_ACCURACY]:.4f}"
    return (
        f"**{title}: test accuracy {correct / total:.4f}** ({correct:,} of {total:,} images; "
        f"95 % Wilson interval {low:.4f} to {high:.4f}). "
        f"Weights of epoch {epoch} of {history.epochs}: {accuracies}. "
        f"Hardest class: {class_names[hardest.label]} (F1 {hardest.f1:.3f})."
    )
