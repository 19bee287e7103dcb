"""The report's numbers beside ours: which are reproduced, which not, and why a miss is expected."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

from fmnist import names
from fmnist.plots.formatting import format_count, format_percent, format_seconds
from fmnist.results import study
from fmnist.results.study import Done

REPORT_EPOCHS: Final = 10

# Three of the standard deviations that the report found between folds (0.33 points): seeds and
# rows alone move an accuracy about as much.
_ACCURACY_BAND: Final = 0.0099
# The standard deviations of two samples of five from one population lie within this factor of
# each other (95 %, F distribution with 4 and 4 degrees of freedom).
_STD_FACTOR: Final = 3.1


class Target(NamedTuple):
    """A number of the report, where it stands in the study, and the band that reproduces it."""

    number: str
    step: str
    target: float
    low: float
    high: float


def _accuracy(number: str, step: str, target: float) -> Target:
    return Target(number, step, target, target - _ACCURACY_BAND, target + _ACCURACY_BAND)


def _exactly(number: str, step: str, target: int) -> Target:
    return Target(number, step, target, target, target)


SECONDS_PER_EPOCH: Final = "seconds per epoch"  # of the whole training, features included

TARGETS: Final = (
    _exactly(names.PARAMETERS_TOTAL, study.LENET, 44_426),
    _accuracy(names.TEST_ACCURACY, study.LENET, 0.8817),
    Target(SECONDS_PER_EPOCH, study.LENET, 19, 0, 20),
    _accuracy(names.TEST_ACCURACY, study.LENET_DROPOUT, 0.8831),
    _accuracy(names.CV_TEST_ACCURACY_MEAN, study.CROSSVAL, 0.8771),
    Target(
        names.CV_TEST_ACCURACY_STD,
        study.CROSSVAL,
        0.0033,
        0.0033 / _STD_FACTOR,
        0.0033 * _STD_FACTOR,
    ),
    _exactly(names.PARAMETERS_TOTAL, "vgg16", 14_848_586),
    _exactly(names.PARAMETERS_TRAINABLE, "vgg16", 133_898),
    _accuracy(names.TEST_ACCURACY, "vgg16", 0.8681),
    Target(SECONDS_PER_EPOCH, "vgg16", 620, 0, 620),
    _exactly(names.PARAMETERS_TOTAL, "resnet50", 24_114_826),
    _exactly(names.PARAMETERS_TRAINABLE, "resnet50", 527_114),
    _accuracy(names.TEST_ACCURACY, "resnet50", 0.7436),
)


@dataclass(frozen=True)
class Reproduced:
    """One number of the report and what the study got.

    Args:
        low, high: the band within which the number counts as reproduced.
        expected_miss: why another number was to be expected; empty where it was not.
    """

    number: str
    step: str
    target: float
    measured: float
    low: float
    high: float
    passed: bool
    expected_miss: str


def reproduction(
    done: Sequence[Done],
    weights: Mapping[str, str],
    epochs: int,
    train_size: int,
) -> list[Reproduced]:
    """Each number of the report, held against the study's.

    Args:
        done: the steps of the study.
        weights: where each backbone's weights came from.
        epochs, train_size: the study's options.
    """
    metrics = {one.step.name: one.metrics for one in done}
    return [
        Reproduced(
            **target._asdict(),
            measured=(measured := _measured(target, metrics[target.step], epochs)),
            passed=target.low <= measured <= target.high,
            expected_miss=_expected_miss(target, weights.get(target.step), epochs, train_size),
        )
        for target in TARGETS
    ]


def as_json(reproduced: Sequence[Reproduced]) -> bytes:
    """All of it, a list of objects."""
    return json.dumps([asdict(one) for one in reproduced], indent=2).encode()


def as_markdown(reproduced: Sequence[Reproduced]) -> str:
    """A table of the report's numbers and the study's."""
    lines = ["| step | number | report | here | reproduced |", "| --- | --- | --- | --- | --- |"]
    for one in reproduced:
        verdict = "yes" if one.passed else f"no: {one.expected_miss or 'unexpected'}"
        values = (_worded(one.number, value) for value in (one.target, one.measured))
        cells = (one.step, one.number, *values, verdict)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _worded(number: str, value: float) -> str:
    if number == SECONDS_PER_EPOCH:
        return format_seconds(value)
    return format_percent(value, 2) if value <= 1 else format_count(value)


def _measured(target: Target, metrics: Mapping[str, float], epochs: int) -> float:
    if target.number == SECONDS_PER_EPOCH:
        spent = metrics[names.FIT_SECONDS] + metrics.get(names.FEATURE_COST_SECONDS, 0.0)
        return spent / epochs
    return metrics[target.number]


def _expected_miss(target: Target, weights: str | None, epochs: int, train_size: int) -> str:
    if target.low == target.high or target.number == SECONDS_PER_EPOCH:
        return ""  # no option of a study changes a count or should cost speed
    reasons = []
    if epochs != REPORT_EPOCHS or train_size:
        rows = f"{train_size:,} training rows" if train_size else "all training rows"
        reasons.append(f"epochs={epochs} on {rows}, the report's {REPORT_EPOCHS} on all")
    if weights and weights != "imagenet":
        reasons.append(f"weights {weights}, the report's were ImageNet's")
    if weights:
        reasons.append("pixels scaled as the weights expect, the report's as 0..1")
    return "; ".join(reasons)
