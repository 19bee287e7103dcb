"""Differences between every two models, with their tests."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import TypeVar

from fmnist.comparison.models import ComparedModel, CrossvalRun
from fmnist.evaluation import statistics
from fmnist.evaluation.crossval_statistics import corrected_resampled_t
from fmnist.evaluation.procedures import CROSSED, compare_procedures


@dataclass(frozen=True)
class ModelPair:
    """The difference of two models.

    Args:
        difference: accuracy of the first minus that of the second, with its 95 % interval.
        p_holm: `p_value`, corrected for the number of pairs.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float
    p_holm: float

    @property
    def is_significant(self) -> bool:
        return self.p_holm < statistics.SIGNIFICANCE_LEVEL


@dataclass(frozen=True)
class AccuracyPair(ModelPair):
    """Two models on the same test rows; see `procedures.ProcedureComparison`."""

    method: str
    probability_first_better: float | None
    detectable_difference: float | None
    seeds_needed: int | None

    @property
    def is_valid_for_new_seeds(self) -> bool:
        return self.method == CROSSED

    def swap(self) -> "AccuracyPair":
        """The same pair with first and second exchanged."""
        probability = self.probability_first_better
        return replace(
            self,
            first=self.second,
            second=self.first,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
            probability_first_better=None if probability is None else 1 - probability,
        )


Pair = TypeVar("Pair", bound=ModelPair)


def compare_accuracies(models: Sequence[ComparedModel], seed: int) -> tuple[AccuracyPair, ...]:
    """The difference of every two models, the one with the higher rank first.

    Args:
        seed: for the bootstrap intervals of models with one seed.
    """
    pairs = []
    for first, second in combinations(models, 2):
        result = compare_procedures(first.correct, second.correct, seed)
        pairs.append(
            AccuracyPair(first.label, second.label, p_holm=result.p_value, **asdict(result))
        )
    return _correct(pairs)


def compare_crossvals(models: Sequence[ComparedModel]) -> tuple[ModelPair, ...]:
    """The corrected resampled t-test of every two models with cross-validations on equal folds."""
    pairs = []
    for first, second in combinations(models, 2):
        one, other = first.crossval, second.crossval
        if one and other and _have_same_folds(one, other):
            result = corrected_resampled_t(
                one.fold_accuracies, other.fold_accuracies, one.options.folds
            )
            pairs.append(ModelPair(first.label, second.label, *result, p_holm=result.p))
    return _correct(pairs)


def _correct(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Apply Holm's correction for the number of pairs."""
    corrected = statistics.holm([pair.p_value for pair in pairs])
    return tuple(replace(pair, p_holm=p) for pair, p in zip(pairs, corrected, strict=True))


def _have_same_folds(one: CrossvalRun, other: CrossvalRun) -> bool:
    """Whether the folds are equal. They follow from these options and the data."""
    return one.record.run_id != other.record.run_id and all(
        getattr(one.options, option) == getattr(other.options, option)
        for option in ("split_seed", "folds", "repeats", "train_size", "drop_duplicates")
    )
