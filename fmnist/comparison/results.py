"""What a comparison of logged runs found: plain values for the page, tables and figures."""

from dataclasses import dataclass

from fmnist import names
from fmnist.evaluation.metrics import ClassScore
from fmnist.results.runs import LoggedCrossval, LoggedRun


@dataclass(frozen=True, eq=False)
class ComparedModel:
    """One model of the comparison: a run of it, and the cross-validation of the same options.

    Args:
        label: unique, short, and honest: names weights that are not ImageNet's and every option
            that tells it from other compared_models, such as `lenet5, dropout 0.4`.
        accuracy: share of the test rows answered rightly, with its 95 % Wilson interval.
    """

    label: str
    run: LoggedRun
    crossval: LoggedCrossval | None
    accuracy: float
    low: float
    high: float
    macro_f1: float
    calibration_error: float
    per_class: tuple[ClassScore, ...]

    @property
    def feature_seconds(self) -> float | None:
        """What its features cost to compute, by this run or by the one that cached them; None
        without features.
        """
        here = self.run.metrics.get(names.FEATURE_SECONDS)
        return self.run.metrics.get(names.FEATURE_COST_SECONDS, here)

    @property
    def training_seconds(self) -> float | None:
        """Of the fit and the features that it was made on; None where the run does not tell."""
        fit = self.run.metrics.get(names.FIT_SECONDS)
        return None if fit is None else fit + (self.feature_seconds or 0.0)


@dataclass(frozen=True)
class Pair:
    """Two compared_models on the same test rows.

    Args:
        only_first: rows that the first alone answers rightly.
        difference: accuracy of the first minus that of the second, with a 95 % interval by a
            paired bootstrap.
        test: which form of McNemar's test.
        p: its p-value; `p_holm` the same corrected over all pairs.
    """

    first: str
    second: str
    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    test: str
    p: float
    p_holm: float


@dataclass(frozen=True)
class CrossvalPair:
    """Two compared_models cross-validated on the same folds: the corrected resampled t-test."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float


@dataclass(frozen=True)
class LeftOut:
    """A run that was found and not compared, and why."""

    run_id: str
    name: str
    link: str | None
    reason: str


@dataclass(frozen=True)
class Finding:
    """One sentence about the measured numbers, and the numbers that it rests on.

    Args:
        topic: what it is about, such as `convergence`.
        evidence: names of the runs' values and the values, in words.
    """

    topic: str
    sentence: str
    evidence: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """All of it. Contenders stand in order of accuracy, the best first."""

    compared_models: tuple[ComparedModel, ...]
    pairs: tuple[Pair, ...]
    crossval_pairs: tuple[CrossvalPair, ...]
    left_out: tuple[LeftOut, ...]
    findings: tuple[Finding, ...]
    class_names: tuple[str, ...]
    data_digest: str
