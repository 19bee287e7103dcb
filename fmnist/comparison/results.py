"""The results of a comparison, as plain values for findings, page, tables and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.evaluation.statistics import SIGNIFICANCE_LEVEL, MeanAccuracy
from fmnist.options import Crossval, Train
from fmnist.options.train import FROM_SCRATCH
from fmnist.results.runs import RunRecord
from fmnist.results.training import Evaluation, History

# Kinds of models.
SCRATCH: Final = "from scratch"
TRANSFER: Final = "transfer learning"
# A backbone with random weights: nothing is transferred from another data set.
RANDOM: Final = "random features"

# Choices that the reference report varies, and the size of the training.
_VARIED: Final = ("weights", "dropout", "epochs", "train_size", "split_seed", "validation_fraction")


@dataclass(frozen=True, eq=False)
class TrainRun:
    """A finished run of `train`.

    Args:
        rows: (n,) int64, row numbers of the predictions in the test file.
        test: the predictions for these rows, in the same order.
    """

    record: RunRecord
    options: Train
    history: History
    rows: npt.NDArray[np.int64]
    test: Evaluation

    @property
    def weights(self) -> str:
        """Source of a backbone's weights; the option may be a choice between several sources."""
        return self.record.tags.get(names.TAG_WEIGHTS, self.options.weights)

    @property
    def settings(self) -> dict[str, str]:
        """The options that affect results, apart from the seed, with the weights that were used."""
        fields = self.options.fingerprint_fields() | {"weights": self.weights}
        return {name: value for name, value in fields.items() if name != "seed"}

    @property
    def kind(self) -> str:
        if self.options.model in FROM_SCRATCH:
            return SCRATCH
        return RANDOM if self.weights == "none" else TRANSFER

    @property
    def is_report_setting(self) -> bool:
        """Whether all options but those in `_VARIED` have the defaults, as in the report."""
        default = Train(model=self.options.model).fingerprint_fields()
        return self.options.model != "convnet" and all(
            value == default[name] or name in _VARIED for name, value in self.settings.items()
        )

    @property
    def epoch(self) -> int:
        """The epoch whose weights were evaluated, counted from 1."""
        return self.history.best_epoch if self.options.keep == "best" else self.history.epochs

    def at_epoch(self, metric: str) -> float | None:
        """A metric of the epoch whose weights were evaluated; None if it was not measured."""
        return self.history.rows[self.epoch - 1].get(metric)


@dataclass(frozen=True, eq=False)
class CrossvalRun:
    """A finished run of `crossval`.

    Args:
        fold_accuracies: accuracy of each fold on its held-out rows, ordered by (repeat, fold).
    """

    record: RunRecord
    options: Crossval
    fold_accuracies: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class ComparedModel:
    """One model of the comparison: its replicates, which differ only in their seed.

    Args:
        label: short and unique: the model, weights other than ImageNet's, and every option in
            which it differs from other models, such as `lenet5 dropout 0.4`.
        runs: the replicates, sorted by seed.
        crossval: a cross-validation with the same options, if there is one.
        accuracy: expected accuracy on the test rows, with its standard deviation over seeds and
            95 % interval.
        validation_accuracy: mean over the replicates, by which models are ranked; None if a
            replicate has no validation rows.
        macro_f1, calibration_error, f1_by_class: means over the replicates; a class
            without test images has no F1 score.
    """

    label: str
    runs: tuple[TrainRun, ...]
    crossval: CrossvalRun | None
    accuracy: MeanAccuracy
    validation_accuracy: float | None
    macro_f1: float
    calibration_error: float
    f1_by_class: tuple[float | None, ...]

    @property
    def options(self) -> Train:
        """The options of the first replicate."""
        return self.runs[0].options

    @property
    def kind(self) -> str:
        return self.runs[0].kind

    @cached_property
    def correct(self) -> npt.NDArray[np.bool_]:
        """(seeds, n) bool, whether each replicate classifies each test row correctly."""
        return np.stack([run.test.predicted == run.test.labels for run in self.runs])

    def metric(self, name: str) -> float | None:
        """Mean of a metric over the replicates that have logged it; None without any."""
        values = [run.record.metrics[name] for run in self.runs if name in run.record.metrics]
        return float(np.mean(values)) if values else None

    @property
    def feature_seconds(self) -> float | None:
        """Time to compute the features of a backbone, even if they were cached; None without."""
        cost = self.metric(names.FEATURE_COST_SECONDS)
        return self.metric(names.FEATURE_SECONDS) if cost is None else cost

    @property
    def training_seconds(self) -> float | None:
        """Time of one fit and of the features it needs; None if it was not logged."""
        fit = self.metric(names.FIT_SECONDS)
        return None if fit is None else fit + (self.feature_seconds or 0.0)


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
        return self.p_holm < SIGNIFICANCE_LEVEL


@dataclass(frozen=True)
class AccuracyPair(ModelPair):
    """Two models on the same test rows; see `statistics.compare_procedures`."""

    method: str
    probability_first_better: float | None
    detectable_difference: float | None
    seeds_needed: int | None

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


@dataclass(frozen=True)
class ExcludedRun:
    """A run that is not compared, and the reason. `run_id` is empty for a number of runs."""

    run_id: str
    name: str
    link: str | None
    reason: str


@dataclass(frozen=True)
class NearDuplicateCount:
    """Number of test rows that are near-duplicates of training rows, counted by a run of `eda`."""

    rows: int
    run_id: str


@dataclass(frozen=True)
class Finding:
    """A statement about the results.

    Args:
        topic: what it is about, such as `cost`.
        evidence: names and values of the numbers that it is based on.
    """

    topic: str
    sentence: str
    evidence: str


@dataclass(frozen=True, eq=False)
class Question:
    """The best model trained from scratch and the best with transfer learning.

    Args:
        setting: among which models, such as `as in the report`; empty if there is one question.
        first, second: chosen by validation accuracy; the first has the higher test accuracy.
    """

    setting: str
    first: ComparedModel
    second: ComparedModel


@dataclass(frozen=True, eq=False)
class Comparison:
    """The results for at least two models, ordered by mean validation accuracy, best first.

    Args:
        shared: the options that all models have in common, as text.
    """

    models: tuple[ComparedModel, ...]
    shared: Mapping[str, str]
    pairs: tuple[AccuracyPair, ...]
    crossval_pairs: tuple[ModelPair, ...]
    excluded: tuple[ExcludedRun, ...]
    near_duplicates: NearDuplicateCount | None
    class_names: tuple[str, ...]
    data_digest: str

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Row numbers of the compared predictions in the test file, (n,) int64."""
        return self.models[0].runs[0].rows

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
        pairs = {(pair.first, pair.second): pair for pair in self.pairs}
        found = pairs.get((first.label, second.label))
        return found or pairs[second.label, first.label].swap()


def _ask(setting: str, models: Sequence[ComparedModel]) -> Question | None:
    """The question among these models, sorted best first; None if one kind is missing."""
    scratch = next((model for model in models if model.kind == SCRATCH), None)
    transfer = next((model for model in models if model.kind == TRANSFER), None)
    if scratch is None or transfer is None:
        return None
    if scratch.accuracy.mean >= transfer.accuracy.mean:
        return Question(setting, scratch, transfer)
    return Question(setting, transfer, scratch)
