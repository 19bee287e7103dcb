"""Compare the results of the study with the numbers of the reference report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

from fmnist import names
from fmnist.options import Study
from fmnist.plots.formatting import MISSING, format_count, format_percent, format_seconds
from fmnist.results.steps import FinishedStep
from fmnist.study import steps

# The settings of the reference report.
REFERENCE_EPOCHS: Final = 10
REFERENCE_FOLDS: Final = 5
REFERENCE_WEIGHTS: Final = "imagenet"
FASHION_MNIST_DIGEST: Final = "d1fd84a877f3b78fa9a171b3de73f93e"

# Three of the standard deviations between folds in the reference report (0.33 percentage points):
# other seeds and training rows change an accuracy by about as much.
_ACCURACY_TOLERANCE: Final = 0.0099
# The standard deviations of two samples of five from one population differ by less than this factor
# (95 %, F distribution with 4 and 4 degrees of freedom).
_STD_FACTOR: Final = 3.1

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
        target, low, high, passed: None if the settings differ from those of the report.
        expected_miss: differences between the settings; empty if there are none.
    """

    number: str
    step: str
    measured: float
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
    """Compare each number of the reference report with the result of the study.

    A number is compared only if it was measured with the settings of the report. Numbers of
    parameters do not depend on them.

    Args:
        weights: the source of the initial weights of each backbone.
    """
    metrics = {each.step.name: each.metrics for each in finished}
    results = []
    for reference in REFERENCES:
        measured = _measure(reference, metrics[reference.step], options.epochs)
        is_exact = reference.low == reference.high
        differences = (
            [] if is_exact else _list_differences(reference.step, weights, options, data_digest)
        )
        is_comparable = not differences
        scaling = "pixels scaled as the weights expect; 0..1 in the reference report"
        is_backbone_accuracy = reference.step in weights and reference.number == names.TEST_ACCURACY
        results.append(
            Reproduced(
                number=reference.number,
                step=reference.step,
                measured=measured,
                target=reference.target if is_comparable else None,
                low=reference.low if is_comparable else None,
                high=reference.high if is_comparable else None,
                passed=reference.low <= measured <= reference.high if is_comparable else None,
                expected_miss="; ".join(differences + [scaling] * is_backbone_accuracy),
            )
        )
    return results


def to_json(results: Sequence[Reproduced]) -> bytes:
    """All results as a list of objects."""
    return json.dumps([asdict(result) for result in results], indent=2).encode()


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


def _measure(reference: Reference, metrics: Mapping[str, float], epochs: int) -> float:
    if reference.number == SECONDS_PER_EPOCH:
        features = metrics.get(names.FEATURE_COST_SECONDS, 0.0)
        return (metrics[names.FIT_SECONDS] + features) / epochs
    return metrics[reference.number]


def _list_differences(
    step: str, weights: Mapping[str, str], options: Study, data_digest: str
) -> list[str]:
    """The settings of a step that differ from those of the reference report."""
    differences = []
    if data_digest != FASHION_MNIST_DIGEST:
        differences.append("other data than Fashion-MNIST")
    if options.epochs != REFERENCE_EPOCHS:
        differences.append(f"epochs={options.epochs} instead of {REFERENCE_EPOCHS}")
    if options.train_size:
        differences.append(f"{options.train_size:,} training rows instead of all")
    if step == steps.CROSSVAL and options.folds != REFERENCE_FOLDS:
        differences.append(f"folds={options.folds} instead of {REFERENCE_FOLDS}")
    if weights.get(step, REFERENCE_WEIGHTS) != REFERENCE_WEIGHTS:
        differences.append(f"weights {weights[step]} instead of {REFERENCE_WEIGHTS}")
    return differences
