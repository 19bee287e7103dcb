"""Gates that a trained model must pass to become the champion, all on validation rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.evaluation import metrics
from fmnist.evaluation.statistics import count_discordant, mcnemar
from fmnist.options import Promote
from fmnist.results.training import Evaluation, StoredModel

# With fewer rows, a paired test detects only differences that are obvious without a test.
MIN_ROWS: Final = 100


@dataclass(frozen=True, eq=False)
class Predictions:
    """A model's predictions for training rows that it was not trained on.

    Args:
        rows: (n,) int64, unique row numbers in the training file.
        evaluation: labels and probabilities in the same order.
    """

    rows: npt.NDArray[np.int64]
    evaluation: Evaluation


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trained model and its predictions on its validation rows, if they are stored."""

    stored: StoredModel
    validation: Predictions | None


@dataclass(frozen=True)
class Gate:
    """The result of one gate."""

    name: str
    expected: str
    actual: str
    passed: bool


# Loads the out-of-fold predictions of a cross-validation of the model's configuration, if any.
LoadOutOfFold = Callable[[StoredModel], Predictions | None]


def check_gates(
    options: Promote,
    candidate: Candidate,
    champion: Candidate | None,
    load_out_of_fold: LoadOutOfFold,
) -> tuple[Gate, ...]:
    """Check every gate that the options ask for.

    Args:
        champion: None for the first version of a name. A champion is not compared with itself.
    """
    stored, validation = candidate.stored, candidate.validation
    accuracy = recall = None
    if validation:
        accuracy = metrics.accuracy(validation.evaluation)
        recall = min(s.recall for s in metrics.per_class(validation.evaluation) if s.support)
    gates = []
    for name, limit, value in (
        ("validation accuracy", options.min_val_accuracy, accuracy),
        ("lowest class recall", options.min_class_recall, recall),
    ):
        if limit:
            actual = "no validation predictions stored" if value is None else f"{value:.4f}"
            passed = value is not None and value >= limit
            gates.append(Gate(name, f"at least {limit:.4f}", actual, passed))
    for name, limit, metric in (
        ("milliseconds per image", options.max_ms_per_image, names.PREDICT_MS_PER_IMAGE),
        ("bytes", options.max_model_bytes, names.MODEL_BYTES),
    ):
        if limit:
            value = stored.metrics.get(metric)
            actual = "not measured" if value is None else f"{value:,.6g}"
            passed = value is not None and value <= limit
            gates.append(Gate(name, f"at most {limit:,.6g}", actual, passed))
    if options.run == "auto" and names.VERSION_ROLLED_BACK in stored.version_tags:
        actual = f"the champion was rolled back from {stored.label}"
        gates.append(Gate("not rolled back", "a version without rollback", actual, False))
    if champion and champion.stored.version != stored.version:
        passed, actual = _compare(candidate, champion, options.significance, load_out_of_fold)
        expected = (
            f"higher accuracy than {champion.stored.label} on rows held out by both, "
            f"p ≤ {options.significance:g}"
        )
        gates.append(Gate("better than the champion", expected, actual, passed))
    return tuple(gates)


def format_failures(gates: tuple[Gate, ...]) -> str:
    """Describe the gates that were not passed, "" if all were."""
    return "; ".join(
        f"{g.name}: expected {g.expected}, got {g.actual}" for g in gates if not g.passed
    )


def _compare(
    candidate: Candidate, champion: Candidate, significance: float, load_out_of_fold: LoadOutOfFold
) -> tuple[bool, str]:
    """Test whether the candidate is significantly better (McNemar); return this and the details."""
    new, current = candidate.stored, champion.stored
    if current.problem:
        return False, f"no predictions to compare with: {current.problem}"
    if current.tags.get(names.TAG_DATA_DIGEST) != new.tags.get(names.TAG_DATA_DIGEST):
        return False, f"{current.label} was trained on other data"
    source = "validation rows"
    new_correct, current_correct = _paired(candidate.validation, champion.validation)
    if len(new_correct) < MIN_ROWS:
        common = len(new_correct)
        source = "out-of-fold rows of cross-validations of both configurations"
        new_correct, current_correct = _paired(load_out_of_fold(new), load_out_of_fold(current))
        if len(new_correct) < MIN_ROWS:
            return False, (
                f"only {common:,} validation rows in common; train both with the same split_seed, "
                "train_size and validation_fraction, or cross-validate both configurations"
            )
    only_new, only_current = count_discordant(new_correct, current_correct)
    test = mcnemar(only_new, only_current)
    details = (
        f"accuracy {new_correct.mean():.4f} against {current_correct.mean():.4f} on "
        f"{len(new_correct):,} {source}: {only_new:,} rows correct only in the candidate, "
        f"{only_current:,} only in the champion, p = {test.p:.2g} ({test.test})"
    )
    return only_new > only_current and test.p <= significance, details


def _paired(
    first: Predictions | None, second: Predictions | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return for the common rows, (n,) each, whether either model classifies them correctly."""
    if first is None or second is None:
        return np.empty(0, bool), np.empty(0, bool)
    _, in_first, in_second = np.intersect1d(
        first.rows, second.rows, assume_unique=True, return_indices=True
    )
    correct = [p.evaluation.predicted == p.evaluation.labels for p in (first, second)]
    return correct[0][in_first], correct[1][in_second]
