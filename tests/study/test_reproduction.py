"""The report's numbers beside the study's."""

import json

import pytest

from fmnist import names
from fmnist.options import Study
from fmnist.results import study
from fmnist.results.study import Done, steps
from fmnist.study import reproduction as report
from fmnist.study.reproduction import SECONDS_PER_EPOCH, Reproduced, reproduction

WEIGHTS = {"vgg16": "hed-bsds500", "resnet50": "imagenet"}
TRAINED = {names.FIT_SECONDS: 30.0, names.TEST_ACCURACY: 0.885}
METRICS = {
    study.EDA: {},
    study.LENET: TRAINED | {names.PARAMETERS_TOTAL: 44_426},
    study.LENET_DROPOUT: TRAINED,
    study.CROSSVAL: {names.CV_TEST_ACCURACY_MEAN: 0.87, names.CV_TEST_ACCURACY_STD: 0.02},
    "vgg16": TRAINED
    | {
        names.FEATURE_COST_SECONDS: 600.0,
        names.PARAMETERS_TOTAL: 14_848_586,
        names.PARAMETERS_TRAINABLE: 133_898,
    },
    "resnet50": TRAINED | {names.PARAMETERS_TOTAL: 24_114_826, names.PARAMETERS_TRAINABLE: 527_115},
}


def reproduced(epochs: int = 10, train_size: int = 0) -> dict[tuple[str, str], Reproduced]:
    plan = steps(Study(epochs=epochs, train_size=train_size), WEIGHTS)
    done = [Done(step, "r", METRICS[step.name], "", "", 1.0, False) for step in plan]
    return {(one.step, one.number): one for one in reproduction(done, WEIGHTS, epochs, train_size)}


def test_within_the_band_passes_and_outside_fails() -> None:
    found = reproduced()
    assert found[study.LENET, names.TEST_ACCURACY].passed  # 0.8817 ± 0.0099
    assert found[study.CROSSVAL, names.CV_TEST_ACCURACY_MEAN].passed
    assert not found[study.CROSSVAL, names.CV_TEST_ACCURACY_STD].passed
    assert not found["resnet50", names.TEST_ACCURACY].passed


def test_counts_of_parameters_are_exact() -> None:
    found = reproduced()
    assert found["vgg16", names.PARAMETERS_TRAINABLE].passed
    off_by_one = found["resnet50", names.PARAMETERS_TRAINABLE]
    assert (off_by_one.passed, off_by_one.expected_miss) == (False, "")


def test_seconds_per_epoch_share_the_features_among_the_epochs() -> None:
    assert reproduced()["vgg16", SECONDS_PER_EPOCH].measured == pytest.approx(63.0)
    assert reproduced()[study.LENET, SECONDS_PER_EPOCH].measured == pytest.approx(3.0)


def test_a_miss_is_expected_where_the_study_differs_from_the_report() -> None:
    as_reported, shorter = reproduced(), reproduced(epochs=2, train_size=400)
    assert as_reported[study.LENET, names.TEST_ACCURACY].expected_miss == ""
    assert "ImageNet" in as_reported["vgg16", names.TEST_ACCURACY].expected_miss
    assert "ImageNet" not in as_reported["resnet50", names.TEST_ACCURACY].expected_miss
    assert "0..1" in as_reported["resnet50", names.TEST_ACCURACY].expected_miss
    miss = shorter[study.LENET, names.TEST_ACCURACY].expected_miss
    assert miss == "epochs=2 on 400 training rows, the report's 10 on all"


def test_every_number_is_in_the_file_and_in_the_table() -> None:
    found = list(reproduced().values())
    assert [one["target"] for one in json.loads(report.as_json(found))] == [
        one.target for one in found
    ]
    table = report.as_markdown(found).splitlines()
    assert len(table) == 2 + len(found)
    assert table[2] == "| lenet5 | parameters_total | 44,426 | 44,426 | yes |"
