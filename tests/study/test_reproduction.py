"""Results are compared with the reference report only if its settings were used."""

import json
from hashlib import sha256

import pytest

from fmnist import names
from fmnist.data import idx, sources
from fmnist.options import Study
from fmnist.results.steps import FinishedStep
from fmnist.study import report, reproduction, steps
from fmnist.study.reproduction import FASHION_MNIST_DIGEST, SECONDS_PER_EPOCH, Reproduced

WEIGHTS = {"vgg16": "hed-bsds500", "resnet50": "imagenet"}
TRAINED = {names.FIT_SECONDS: 30.0, names.TEST_ACCURACY: 0.885}
METRICS = {
    steps.EDA: {},
    steps.LENET: TRAINED | {names.PARAMETERS_TOTAL: 44_426},
    steps.LENET_DROPOUT: TRAINED,
    steps.CROSSVAL: {names.CV_TEST_ACCURACY_MEAN: 0.87, names.CV_TEST_ACCURACY_STD: 0.02},
    "vgg16": TRAINED
    | {
        names.FEATURE_COST_SECONDS: 600.0,
        names.PARAMETERS_TOTAL: 14_848_586,
        names.PARAMETERS_TRAINABLE: 133_898,
    },
    "resnet50": TRAINED | {names.PARAMETERS_TOTAL: 24_114_826, names.PARAMETERS_TRAINABLE: 527_115},
}


def compare(
    digest: str = FASHION_MNIST_DIGEST,
    weights: dict[str, str] = WEIGHTS,
    accuracies: tuple[float, ...] = (0.885,),
    **options: int,
) -> dict[tuple[str, str], Reproduced]:
    """Compare with a study in which `lenet5` has these test accuracies, one for each seed."""
    study = Study(**options, seeds=len(accuracies))
    # Without files of weights.
    stages = steps.create_stages(study, dict.fromkeys(weights, "none"), digest)
    finished = []
    for group in (group for stage in stages for group in stage):
        for step, accuracy in zip(group, accuracies, strict=False):
            metrics = dict(METRICS[step.name])
            if step.name == steps.LENET:
                metrics[names.TEST_ACCURACY] = accuracy
            finished.append(FinishedStep(step, "r", metrics, "", "", 1.0, was_skipped=False))
    results = reproduction.compare_with_reference(finished, weights, study, digest)
    return {(result.step, result.number): result for result in results}


def test_numbers_within_the_range_are_reproduced() -> None:
    results = compare()
    assert results[steps.LENET, names.TEST_ACCURACY].passed is True  # 0.8817 ± 0.0099
    assert results[steps.CROSSVAL, names.CV_TEST_ACCURACY_MEAN].passed is True
    assert results[steps.CROSSVAL, names.CV_TEST_ACCURACY_STD].passed is False
    resnet = results["resnet50", names.TEST_ACCURACY]
    assert resnet.passed is False
    assert "0..1" in resnet.expected_miss


@pytest.mark.parametrize(
    ("accuracies", "passed"), [((0.90, 0.86), True), ((0.8817, 0.95), False), ((0.8817,), True)]
)
def test_the_mean_over_seeds_is_compared(accuracies: tuple[float, ...], passed: bool) -> None:
    result = compare(accuracies=accuracies)[steps.LENET, names.TEST_ACCURACY]
    assert (result.passed, result.seeds) == (passed, len(accuracies))
    assert result.measured == pytest.approx(sum(accuracies) / len(accuracies))


def test_numbers_of_parameters_must_be_equal() -> None:
    results = compare(epochs=2, train_size=400)
    assert results["vgg16", "parameters_trainable"].passed is True
    off_by_one = results["resnet50", "parameters_trainable"]
    assert (off_by_one.passed, off_by_one.expected_miss) == (False, "")


def test_seconds_per_epoch_include_features() -> None:
    vgg = compare()["vgg16", SECONDS_PER_EPOCH]
    assert vgg.measured == pytest.approx(63.0)
    assert vgg.passed is True  # weights do not affect it
    assert compare(train_size=400)["vgg16", SECONDS_PER_EPOCH].passed is None
    assert compare()[steps.LENET, SECONDS_PER_EPOCH].measured == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("settings", "step", "reason"),
    [
        ({"epochs": 2}, steps.LENET, "epochs=2"),
        ({"train_size": 400}, steps.LENET_DROPOUT, "400 training rows"),
        ({"digest": "0" * 32}, "resnet50", "other data"),
        ({}, "vgg16", "weights hed-bsds500"),
    ],
)
def test_accuracies_with_other_settings_are_not_compared(
    settings: dict, step: str, reason: str
) -> None:
    result = compare(**settings)[step, names.TEST_ACCURACY]
    assert result.measured == 0.885
    assert (result.target, result.low, result.high, result.passed) == (None,) * 4
    assert reason in result.expected_miss
    [*_, line] = reproduction.to_markdown([result]).splitlines()
    assert line.startswith(f"| {step} ")
    assert "not comparable" in line


def test_the_number_of_folds_matters_only_for_the_cross_validation() -> None:
    results = compare(folds=3)
    assert results[steps.CROSSVAL, names.CV_TEST_ACCURACY_MEAN].passed is None
    assert results[steps.LENET, names.TEST_ACCURACY].passed is True


def test_every_number_is_in_the_file_and_in_the_table() -> None:
    results = list(compare().values())
    entries = json.loads(report.create_files([], results)[names.REPRODUCTION])
    assert [entry["measured"] for entry in entries] == [result.measured for result in results]
    table = reproduction.to_markdown(results).splitlines()
    assert len(table) == 2 + len(results)
    assert table[2] == "| lenet5 | parameters_total | 44,426 | 44,426 | yes |"


def test_the_digest_of_fashion_mnist() -> None:
    checksums = sources.FASHION_MNIST.checksums
    joined = "".join(checksums[name] for name in idx.FILE_NAMES)
    assert sha256(joined.encode()).hexdigest().startswith(FASHION_MNIST_DIGEST)
