"""The results of a comparison, as plain values for findings, page, tables and figures."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.evaluation.metrics import ClassScore
from fmnist.evaluation.statistics import SIGNIFICANCE_LEVEL
from fmnist.options import Crossval, Train
from fmnist.options.train import FROM_SCRATCH
from fmnist.results.runs import RunRecord
from fmnist.results.training import Evaluation, History


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
        """Source of a backbone's weights: the tag if present, because the option may be a choice
        between several sources.
        """
        return self.record.tags.get(names.TAG_WEIGHTS, self.options.weights)

    @cached_property
    def settings(self) -> dict[str, str]:
        """The options that affect results as text, with the weights that were used."""
        return self.options.fingerprint_fields() | {"weights": self.weights}

    @property
    def is_from_scratch(self) -> bool:
        """Whether the network was trained in full, without a backbone."""
        return self.options.model in FROM_SCRATCH


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
    """One model of the comparison and its scores on the test rows.

    Args:
        label: short and unique: the model, weights other than ImageNet's, and every option in
            which it differs from other models, such as `lenet5, dropout 0.4`.
        crossval: a cross-validation with the same options, if there is one.
        accuracy: with its 95 % Wilson interval, `low` to `high`.
    """

    label: str
    run: TrainRun
    crossval: CrossvalRun | None
    accuracy: float
    low: float
    high: float
    macro_f1: float
    calibration_error: float
    per_class: tuple[ClassScore, ...]

    def metric(self, name: str) -> float | None:
        """A metric of the run; None if it was not logged."""
        return self.run.record.metrics.get(name)

    @property
    def feature_seconds(self) -> float | None:
        """Time to compute the features of a frozen backbone, even if the run read them from the
        cache; None without features.
        """
        cost = self.metric(names.FEATURE_COST_SECONDS)
        return self.metric(names.FEATURE_SECONDS) if cost is None else cost

    @property
    def training_seconds(self) -> float | None:
        """Time of the fit and of the features it needs; None if it was not logged."""
        fit = self.metric(names.FIT_SECONDS)
        return None if fit is None else fit + (self.feature_seconds or 0.0)


@dataclass(frozen=True)
class ModelPair:
    """The difference of two models.

    Args:
        difference: accuracy of the first minus that of the second, with its 95 % interval.
        p_holm: `p`, corrected for the number of pairs.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float

    @property
    def is_significant(self) -> bool:
        return self.p_holm < SIGNIFICANCE_LEVEL


@dataclass(frozen=True)
class McNemarPair(ModelPair):
    """Two models on the same test rows: McNemar's test.

    Args:
        only_first: number of rows that only the first model classifies correctly.
        test: which form of McNemar's test.
    """

    only_first: int
    only_second: int
    test: str

    def swap(self) -> "McNemarPair":
        """The same pair with first and second exchanged."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            only_first=self.only_second,
            only_second=self.only_first,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
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
        topic: the heading under which it is shown, such as `convergence`.
        evidence: names and values of the numbers that it is based on.
    """

    topic: str
    sentence: str
    evidence: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """The results for at least two models, ordered by accuracy, best first."""

    models: tuple[ComparedModel, ...]
    pairs: tuple[McNemarPair, ...]
    crossval_pairs: tuple[ModelPair, ...]
    excluded: tuple[ExcludedRun, ...]
    findings: tuple[Finding, ...]
    near_duplicates: NearDuplicateCount | None
    class_names: tuple[str, ...]
    data_digest: str

    @property
    def test_rows(self) -> int:
        return len(self.models[0].run.rows)

    @cached_property
    def from_scratch(self) -> tuple[ComparedModel, ...]:
        return tuple(model for model in self.models if model.run.is_from_scratch)

    @cached_property
    def pretrained(self) -> tuple[ComparedModel, ...]:
        """Models with a backbone, best first."""
        return tuple(model for model in self.models if not model.run.is_from_scratch)

    @cached_property
    def finalists(self) -> tuple[ComparedModel, ComparedModel]:
        """The best model trained from scratch and the best with a backbone, the more accurate
        first; the two best models if all are of one kind.
        """
        if self.from_scratch and self.pretrained:
            best = (self.from_scratch[0], self.pretrained[0])
            return best if self.models[0] is best[0] else best[::-1]
        return self.models[0], self.models[1]

    def pair(self, first: ComparedModel, second: ComparedModel) -> McNemarPair:
        """The pair of these two models, in this order.

        Raises:
            KeyError: the models were not compared.
        """
        for pair in self.pairs:
            if (pair.first, pair.second) == (first.label, second.label):
                return pair
            if (pair.first, pair.second) == (second.label, first.label):
                return pair.swap()
        raise KeyError(f"{first.label}, {second.label}")
