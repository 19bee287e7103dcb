"""Whether a trained model may become the champion: gates on numbers of its validation rows."""

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

# With fewer rows than this a paired test finds only differences that need no test.
FEWEST_ROWS: Final = 100


@dataclass(frozen=True, eq=False)
class Answers:
    """A model's answers on training rows that it was not fitted to.

    Args:
        rows: (n,) int64, their numbers in the training file, each once.
        given: the answers, in this order.
    """

    rows: npt.NDArray[np.int64]
    given: Evaluation


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trained model as its promotion looks at it.

    Args:
        validation: its answers on its validation rows, None when none are stored.
    """

    stored: StoredModel
    validation: Answers | None


@dataclass(frozen=True)
class Gate:
    """One condition: what was wanted, what came, in words."""

    name: str
    wanted: str
    got: str
    passed: bool


# The out-of-fold answers of a cross-validation of a model's options, if there is one.
OutOfFold = Callable[[StoredModel], Answers | None]


def gates(
    options: Promote, candidate: Candidate, champion: Candidate | None, out_of_fold: OutOfFold
) -> tuple[Gate, ...]:
    """Every gate that the options ask for, and how the candidate does.

    Args:
        champion: the one in use; None for the first of a name. A champion is not compared with
            itself.
    """
    found = _thresholds(options, candidate)
    stored = candidate.stored
    if options.run == "auto" and names.VERSION_ROLLED_BACK in stored.version_tags:
        got = f"the champion was moved back from {stored.label}"
        found.append(Gate("not rolled back", "a version that was not rolled back", got, False))
    if champion and champion.stored.version != stored.version:
        found.append(_better(candidate, champion, options.significance, out_of_fold))
    return tuple(found)


def refusal(gates: tuple[Gate, ...]) -> str:
    """The gates that were not passed, in words; empty when all were."""
    return "; ".join(f"{g.name}: wanted {g.wanted}, got {g.got}" for g in gates if not g.passed)


def _thresholds(options: Promote, candidate: Candidate) -> list[Gate]:
    answers = candidate.validation
    accuracy = recall = None
    if answers is not None:
        accuracy = metrics.accuracy(answers.given)
        recall = min(s.recall for s in metrics.per_class(answers.given) if s.support)
    milliseconds = candidate.stored.metrics.get(names.PREDICT_MS_PER_IMAGE)
    size = candidate.stored.metrics.get(names.MODEL_BYTES)
    asked = [
        _at_least("validation accuracy", options.min_val_accuracy, accuracy),
        _at_least("recall of the worst class", options.min_class_recall, recall),
        _at_most("milliseconds an image", options.max_ms_per_image, milliseconds),
        _at_most("bytes", options.max_model_bytes, size),
    ]
    return [gate for gate in asked if gate]


def _at_least(name: str, limit: float, value: float | None) -> Gate | None:
    if not limit:
        return None
    got = "no validation answers stored" if value is None else f"{value:.4f}"
    return Gate(name, f"at least {limit:.4f}", got, value is not None and value >= limit)


def _at_most(name: str, limit: float, value: float | None) -> Gate | None:
    if not limit:
        return None
    got = "nothing measured" if value is None else f"{value:,.6g}"
    return Gate(name, f"at most {limit:,.6g}", got, value is not None and value <= limit)


def _better(
    candidate: Candidate, champion: Candidate, significance: float, out_of_fold: OutOfFold
) -> Gate:
    name = "better than the champion"
    mine, theirs = candidate.stored, champion.stored
    wanted = f"more right than {theirs.label} on rows held out by both, p ≤ {significance:g}"
    if theirs.problem:
        return Gate(name, wanted, f"nothing to compare with: {theirs.problem}", False)
    if theirs.tags.get(names.TAG_DATA_DIGEST) != mine.tags.get(names.TAG_DATA_DIGEST):
        return Gate(name, wanted, f"{theirs.label} was trained on other data", False)
    pair = _paired(candidate.validation, champion.validation)
    where = "validation rows"
    if len(pair) < FEWEST_ROWS:
        alternative = _paired(out_of_fold(mine), out_of_fold(theirs))
        if len(alternative) < FEWEST_ROWS:
            got = (
                f"only {len(pair):,} validation rows in common; train both with the same seed, "
                "train_size and validation_fraction, or cross-validate both configurations"
            )
            return Gate(name, wanted, got, False)
        pair, where = alternative, "out-of-fold rows of cross-validations of both configurations"
    right, right_too = pair[:, 0], pair[:, 1]
    only_mine, only_theirs = count_discordant(right, right_too)
    test = mcnemar(only_mine, only_theirs)
    got = (
        f"accuracy {right.mean():.4f} against {right_too.mean():.4f} on {len(pair):,} {where}: "
        f"{only_mine:,} right alone against {only_theirs:,}, p = {test.p:.2g} ({test.test})"
    )
    return Gate(name, wanted, got, only_mine > only_theirs and test.p <= significance)


def _paired(mine: Answers | None, theirs: Answers | None) -> npt.NDArray[np.bool_]:
    """(n, 2) bool, whether each answered rightly, of the rows that both have answers for."""
    if mine is None or theirs is None:
        return np.empty((0, 2), bool)
    _, my_place, their_place = np.intersect1d(
        mine.rows, theirs.rows, assume_unique=True, return_indices=True
    )
    sides = ((mine.given, my_place), (theirs.given, their_place))
    return np.stack([(e.predicted == e.labels)[place] for e, place in sides], axis=1)
