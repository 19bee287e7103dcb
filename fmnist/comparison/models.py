"""The compared runs, and the models whose replicates they are."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.evaluation import metrics
from fmnist.evaluation.procedures import MeanAccuracy, expected_accuracy
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
        class_names: in label order.
    """

    record: RunRecord
    options: Train
    history: History
    rows: npt.NDArray[np.int64]
    test: Evaluation
    class_names: tuple[str, ...]

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
    """

    label: str
    runs: tuple[TrainRun, ...]
    crossval: CrossvalRun | None

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

    @cached_property
    def accuracy(self) -> MeanAccuracy:
        """Expected accuracy on the test rows, with its 95 % interval."""
        return expected_accuracy(self.correct)

    @property
    def validation_accuracy(self) -> float | None:
        """Mean over the replicates, by which models are ranked; None without validation rows."""
        values = [run.at_epoch(names.VAL_ACCURACY) for run in self.runs]
        return None if None in values else float(np.mean(values))  # type: ignore[arg-type]

    @property
    def macro_f1(self) -> float:
        """Mean over the replicates."""
        return float(np.mean([metrics.macro_f1(run.test) for run in self.runs]))

    @property
    def calibration_error(self) -> float:
        """Mean over the replicates."""
        return float(np.mean([metrics.expected_calibration_error(run.test) for run in self.runs]))

    @property
    def f1_by_class(self) -> tuple[float | None, ...]:
        """Means over the replicates; None for a class without test images."""
        by_class = zip(*(metrics.per_class(run.test) for run in self.runs), strict=True)
        return tuple(
            float(np.mean([score.f1 for score in scores])) if scores[0].support else None
            for scores in by_class
        )

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
