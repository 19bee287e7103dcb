"""Gates that a trained model must pass to become the champion, all on validation rows."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.errors import WorkFailed
from fmnist.evaluation import metrics, tables
from fmnist.evaluation.statistics import count_discordant, mcnemar
from fmnist.options import Promote
from fmnist.results.training import Evaluation, StoredModel

# With fewer rows, a paired test detects only differences that are obvious without a test.
MIN_ROWS: Final = 100

# Row numbers (n,) in the file, and the predictions for these rows, which the model was not trained
# on. Repeated cross-validations have rows more than once, those of the first repetition first.
Predictions = tuple[npt.NDArray[np.int64], Evaluation]
# Loads the out-of-fold predictions of a cross-validation of the model's configuration, if any.
LoadOutOfFold = Callable[[StoredModel], bytes | None]


class Gate(NamedTuple):
    """The result of one gate."""

    gate: str
    expected: str
    actual: str
    passed: bool


def check_gates(
    options: Promote,
    candidate: StoredModel,
    champion: StoredModel | None,
    load_out_of_fold: LoadOutOfFold,
) -> list[Gate]:
    """Check every gate that the options ask for.

    Args:
        champion: None for the first version of a name. A champion is not compared with itself.
    """
    accuracy = recall = None
    if validation := load_predictions(candidate, names.PREDICTIONS_VALIDATION):
        accuracy = metrics.accuracy(validation[1])
        recall = min(s.recall for s in metrics.per_class(validation[1]) if s.support)
    minimum = "at least", ".4f", "no validation predictions stored"
    maximum = "at most", ",.6g", "not measured"
    milliseconds, size = map(candidate.metrics.get, (names.PREDICT_MS_PER_IMAGE, names.MODEL_BYTES))
    gates = []
    for name, limit, value, (bound, digits, missing) in (
        ("validation accuracy", options.min_val_accuracy, accuracy, minimum),
        ("lowest class recall", options.min_class_recall, recall, minimum),
        ("milliseconds per image", options.max_ms_per_image, milliseconds, maximum),
        ("bytes", options.max_model_bytes, size, maximum),
    ):
        if limit:
            actual = missing if value is None else format(value, digits)
            passed = value is not None and (
                value >= limit if bound == "at least" else value <= limit
            )
            gates.append(Gate(name, f"{bound} {limit:{digits}}", actual, passed))
    if options.run == "auto" and names.VERSION_ROLLED_BACK in candidate.version_tags:
        actual = f"the champion was rolled back from {candidate.label}"
        gates.append(Gate("not rolled back", "a version without rollback", actual, False))
    if champion and champion.version != candidate.version:
        passed, actual = _compare(candidate, champion, options.significance, load_out_of_fold)
        expected = (
            f"higher accuracy than {champion.label} on rows held out by both, "
            f"p ≤ {options.significance:g}"
        )
        gates.append(Gate("better than the champion", expected, actual, passed))
    return gates


def format_failures(gates: Sequence[Gate]) -> str:
    """Describe the gates that were not passed, "" if all were."""
    failed = (gate for gate in gates if not gate.passed)
    return "; ".join(f"{g.gate}: expected {g.expected}, got {g.actual}" for g in failed)


def load_predictions(stored: StoredModel, name: str) -> Predictions | None:
    """Load predictions of a stored model, None if it has none.

    Raises:
        WorkFailed: the file is damaged.
    """
    if name not in stored.files:
        return None
    try:
        return tables.read_predictions(stored.files[name])
    except (KeyError, ValueError, OSError) as error:
        raise WorkFailed(f"{stored.label}: its {name} is damaged: {error}; train again") from error


def _compare(
    new: StoredModel, current: StoredModel, significance: float, load_out_of_fold: LoadOutOfFold
) -> tuple[bool, str]:
    """Test whether the candidate is significantly better (McNemar); return this and the details."""
    if current.problem:
        return False, f"no predictions to compare with: {current.problem}"
    if current.tags.get(names.TAG_DATA_DIGEST) != new.tags.get(names.TAG_DATA_DIGEST):
        return False, f"{current.label} was trained on other data"
    source = "validation rows"
    models = new, current
    correct = _pair(*(load_predictions(model, names.PREDICTIONS_VALIDATION) for model in models))
    common = correct.shape[1]
    if common < MIN_ROWS:
        source = "out-of-fold rows of cross-validations of both configurations"
        files = [load_out_of_fold(model) for model in models]
        correct = _pair(*(tables.read_predictions(file) if file else None for file in files))
        if correct.shape[1] < MIN_ROWS:
            return False, (
                f"only {common:,} validation rows in common; train both with the same split_seed, "
                "train_size and validation_fraction, or cross-validate both configurations"
            )
    only_new, only_current = count_discordant(*correct)
    test = mcnemar(only_new, only_current)
    details = (
        f"accuracy {correct[0].mean():.4f} against {correct[1].mean():.4f} on "
        f"{correct.shape[1]:,} {source}: {only_new:,} rows correct only in the candidate, "
        f"{only_current:,} only in the champion, p = {test.p:.2g} ({test.test})"
    )
    return only_new > only_current and test.p <= significance, details


def _pair(first: Predictions | None, second: Predictions | None) -> npt.NDArray[np.bool_]:
    """Return for the n common rows, (2, n), whether each model classifies them correctly."""
    if first is None or second is None:
        return np.empty((2, 0), bool)
    _, *indices = np.intersect1d(first[0], second[0], return_indices=True)
    evaluations = first[1], second[1]
    return np.stack(
        [(e.predicted == e.labels)[i] for e, i in zip(evaluations, indices, strict=True)]
    )
