"""A comparison: the models in their order, and what is computed from them when it is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.comparison import labels
from fmnist.comparison.models import SCRATCH, TRANSFER, ComparedModel, CrossvalRun, TrainRun
from fmnist.comparison.pairs import (
    AccuracyPair,
    ModelPair,
    compare_accuracies,
    compare_crossvals,
)
from fmnist.results.runs import RunRecord


@dataclass(frozen=True)
class ExcludedRun:
    """A run that is not compared, and the reason. `run_id` is empty for a number of runs."""

    run_id: str
    name: str
    link: str | None
    reason: str


class NearDuplicateCount(NamedTuple):
    """Number of test rows that are near-duplicates of training rows, counted by a run of `eda`."""

    rows: int
    run_id: str


@dataclass(frozen=True, eq=False)
class Question:
    """The best model trained from scratch and the best with transfer learning.

    Both are chosen by validation accuracy; the first has the higher test accuracy. The setting,
    such as `as in the report`, says among which models; it is empty if there is one question.
    """

    setting: str
    first: ComparedModel
    second: ComparedModel


@dataclass(frozen=True, eq=False)
class Comparison:
    """At least two models with predictions for the same test rows.

    Args:
        models: ordered by mean validation accuracy, best first.
        near_duplicates: None if no run of `eda` has counted them for this data set.
        seed: for the bootstrap intervals of models with one seed.
    """

    models: tuple[ComparedModel, ...]
    excluded: tuple[ExcludedRun, ...]
    near_duplicates: NearDuplicateCount | None
    seed: int = 0

    @cached_property
    def pairs(self) -> tuple[AccuracyPair, ...]:
        """Every two models on the test rows."""
        return compare_accuracies(self.models, self.seed)

    @cached_property
    def crossval_pairs(self) -> tuple[ModelPair, ...]:
        """Every two models with cross-validations on the same folds."""
        return compare_crossvals(self.models)

    @property
    def shared(self) -> Mapping[str, str]:
        """The options that all models have in common, as text."""
        return labels.find_shared_settings([model.runs[0] for model in self.models])

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """The compared runs of `train`."""
        return tuple(run.record for model in self.models for run in model.runs)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Row numbers of the compared predictions in the test file, (n,) int64."""
        return self.models[0].runs[0].rows

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in label order."""
        return self.models[0].runs[0].class_names

    @property
    def data_digest(self) -> str:
        """Digest of the data set of all runs."""
        return self.records[0].tags.get(names.TAG_DATA_DIGEST, "unknown")

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """Which side is better with the settings of the reference report, and which at its best.

        One question if both compare the same models, none if a side is missing.
        """
        report = _ask("as in the report", [m for m in self.models if m.runs[0].is_report_setting])
        best = _ask("both at their best", self.models)
        if best is None:
            return ()
        if report is None or {report.first, report.second} == {best.first, best.second}:
            return (replace(best, setting=""),)
        return report, best

    @property
    def finalists(self) -> tuple[ComparedModel, ComparedModel]:
        """The models of the last question; without one, the two best models."""
        if self.questions:
            return self.questions[-1].first, self.questions[-1].second
        return self.models[0], self.models[1]

    def pair(self, first: ComparedModel, second: ComparedModel) -> AccuracyPair:
        """The pair of these two compared models, in this order."""
        found = {(pair.first, pair.second): pair for pair in self.pairs}
        pair = found.get((first.label, second.label))
        return pair or found[second.label, first.label].swap()


def rank_models(
    groups: Sequence[tuple[TrainRun, ...]], crossvals: Sequence[CrossvalRun | None]
) -> tuple[ComparedModel, ...]:
    """Label the models and sort them by mean validation accuracy, best first.

    Args:
        groups: the replicates of each model, sorted by seed.
        crossvals: for each model.
    """
    titles = labels.create_labels([group[0] for group in groups])
    models = map(ComparedModel, titles, groups, crossvals)
    return tuple(sorted(models, key=lambda model: (-(model.validation_accuracy or 0), model.label)))


def _ask(setting: str, models: Sequence[ComparedModel]) -> Question | None:
    """The question among these models, sorted best first; None if one kind is missing."""
    scratch = next((model for model in models if model.kind == SCRATCH), None)
    transfer = next((model for model in models if model.kind == TRANSFER), None)
    if scratch is None or transfer is None:
        return None
    if scratch.accuracy.mean >= transfer.accuracy.mean:
        return Question(setting, scratch, transfer)
    return Question(setting, transfer, scratch)
