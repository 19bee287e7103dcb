"""Compare the results of the study with the numbers of the reference report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, NamedTuple

from fmnist import names
from fmnist.data.dataset import FASHION_MNIST_DIGEST
from fmnist.options import Study
from fmnist.plots.formatting import MISSING, format_count, format_percent, format_seconds
from fmnist.results.steps import FinishedStep
from fmnist.study import steps

# The settings of the reference report.
REFERENCE_EPOCHS: Final = 10
REFERENCE_FOLDS: Final = 5
REFERENCE_WEIGHTS: Final = "imagenet"

# Three of the standard deviations between folds in the reference report (0.33 percentage points):
# other seeds and training rows change an accuracy by about as much.
_ACCURACY_TOLERANCE: Final = 0.0099
# The standard deviations of two samples of five from one population differ by less than this factor
# (95 %, F distribution with 4 and 4 degrees of freedom).
_STD_FACTOR: Final = 3.1

# The report scaled pixels to 0..1; here they are scaled as the pretrained weights expect.
_SCALING: Final = "pixels scaled as the weights expect; 0..1 in the reference report"

SECONDS_PER_EPOCH: Final = "seconds per epoch"  # fit and features


class Reference(NamedTuple):
    """A number of the reference report, and the range in which it counts as reproduced."""

    number: str
    step: str
    target: float
    low: float
    high: float


def _accuracy(number: str, step: str, target: float) -> Reference:
    return Reference(
        number, step, target, target - _ACCURACY_TOLERANCE, target + _ACCURACY_TOLERANCE
    )


def _exactly(number: str, step: str, target: int) -> Reference:
    return Reference(number, step, target, target, target)


REFERENCES: Final = (
    _exactly(names.PARAMETERS_TOTAL, steps.LENET, 44_426),
    _accuracy(names.TEST_ACCURACY, steps.LENET, 0.8817),
    Reference(SECONDS_PER_EPOCH, steps.LENET, 19, 0, 20),
    _accuracy(names.TEST_ACCURACY, steps.LENET_DROPOUT, 0.8831),
    _accuracy(names.CV_TEST_ACCURACY_MEAN, steps.CROSSVAL, 0.8771),
    Reference(
        names.CV_TEST_ACCURACY_STD,
        steps.CROSSVAL,
        0.0033,
        0.0033 / _STD_FACTOR,
        0.0033 * _STD_FACTOR,
    ),
    _exactly(names.PARAMETERS_TOTAL, "vgg16", 14_848_586),
    _exactly(names.PARAMETERS_TRAINABLE, "vgg16", 133_898),
    _accuracy(names.TEST_ACCURACY, "vgg16", 0.8681),
    Reference(SECONDS_PER_EPOCH, "vgg16", 620, 0, 620),
    _exactly(names.PARAMETERS_TOTAL, "resnet50", 24_114_826),
    _exactly(names.PARAMETERS_TRAINABLE, "resnet50", 527_114),
    _accuracy(names.TEST_ACCURACY, "resnet50", 0.7436),
)


@dataclass(frozen=True)
class Reproduced:
    """A result of the study and the number of the reference report.

    Args:
        measured: mean over seeds.
        target, low, high, passed: None if the settings differ from those of the report.
        expected_miss: differences from the settings of the report; empty if there are none.
    """

    number: str
    step: str
    measured: float
    seeds: int
    target: float | None
    low: float | None
    high: float | None
    passed: bool | None
    expected_miss: str


def compare_with_reference(
    finished: Sequence[FinishedStep],
    weights: Mapping[str, str],
    options: Study,
    data_digest: str,
) -> list[Reproduced]:
    """Compare each number of the reference report with the mean over seeds in the study.

    A number is compared only if it was measured with the settings of the report. Numbers of
    parameters do not depend on them.

    Args:
        weights: the source of the initial weights of each backbone.
    """
    runs: dict[str, list[Mapping[str, float]]] = {}
    for each in finished:
        runs.setdefault(each.step.name, []).append(each.metrics)
    results = []
    for reference in REFERENCES:
        number, step, target, low, high = reference
        values = [_measure(number, run, options.epochs) for run in runs[step]]
        measured = names.column_name(number), step, fmean(values), len(values)
        if differences := _list_differences(reference, weights, options, data_digest):
            result = Reproduced(*measured, None, None, None, None, "; ".join(differences))
        else:
            reason = _SCALING if step in weights and number == names.TEST_ACCURACY else ""
            passed = low <= fmean(values) <= high
            result = Reproduced(*measured, target, low, high, passed, reason)
        results.append(result)
    return results


def to_markdown(results: Sequence[Reproduced]) -> str:
    """A table of the numbers of the reference report and of the study."""
    lines = [
        "| step | number | reference report | this study | reproduced |",
        "| --- | --- | --- | --- | --- |",
    ]
    for result in results:
        if result.passed is None:
            verdict = f"not comparable: {result.expected_miss}"
        else:
            verdict = "yes" if result.passed else f"no: {result.expected_miss or 'unexpected'}"
        values = (_format(result.number, value) for value in (result.target, result.measured))
        lines.append(f"| {' | '.join((result.step, result.number, *values, verdict))} |")
    return "\n".join(lines)


def _format(number: str, value: float | None) -> str:
    if value is None:
        return MISSING
    if number == SECONDS_PER_EPOCH:
        return format_seconds(value)
    return format_percent(value) if value <= 1 else format_count(value)


def _measure(number: str, metrics: Mapping[str, float], epochs: int) -> float:
    if number == SECONDS_PER_EPOCH:
        features = metrics.get(names.FEATURE_COST_SECONDS, 0.0)
        return (metrics[names.FIT_SECONDS] + features) / epochs
    return metrics[number]


def _list_differences(
    reference: Reference, weights: Mapping[str, str], options: Study, data_digest: str
) -> list[str]:
    """The settings that differ from those of the reference report and affect this number."""
    if reference.low == reference.high:  # a number of parameters
        return []
    differences = []
    if data_digest != FASHION_MNIST_DIGEST:
        differences.append("other data than Fashion-MNIST")
    if options.epochs != REFERENCE_EPOCHS:
        differences.append(f"epochs={options.epochs} instead of {REFERENCE_EPOCHS}")
    if options.train_size:
        differences.append(f"{options.train_size:,} training rows instead of all")
    if reference.step == steps.CROSSVAL and options.folds != REFERENCE_FOLDS:
        differences.append(f"folds={options.folds} instead of {REFERENCE_FOLDS}")
    source = weights.get(reference.step, REFERENCE_WEIGHTS)
    if source != REFERENCE_WEIGHTS and reference.number != SECONDS_PER_EPOCH:
        differences.append(f"weights {source} instead of {REFERENCE_WEIGHTS}")
    return differences
