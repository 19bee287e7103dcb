"""The comparison's values beside an independent calculation, and the files that hold them."""

import csv
import json
import math
from io import StringIO
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from fmnist import names
from fmnist.comparison import tables
from fmnist.comparison.build import metrics, note
from fmnist.options import Crossval, Train
from tests.helpers.comparisons import compared, crossval, run
from tests.helpers.logged_runs import CLASS_NAMES, answers

VGG = Train(model="vgg16", weights="none")
RUNS = (
    run(Train(), answers(820, 1000, seed=0), fit_seconds=6.0, parameters_total=44_426),
    run(Train(dropout=0.4), answers(826, 1000, seed=0), model_bytes=math.nan),
    run(VGG, answers(600, 1000, seed=3), fit_seconds=9.0, feature_seconds=100.0),
    run(Train(seed=1), answers(790, 1000, seed=4)),
)
FOLDS = {
    RUNS[0].run_id: crossval(Crossval(folds=3), 0.8, 0.82, 0.81, cv_val_accuracy_mean=0.81),
    RUNS[1].run_id: crossval(Crossval(folds=3, dropout=0.4), 0.79, 0.8, 0.82),
    RUNS[3].run_id: crossval(Crossval(folds=3, seed=1), 0.79, 0.8, 0.82),
}


def test_scores_of_every_contender() -> None:
    found = compared(*RUNS, crossvals=FOLDS)
    assert [each.label for each in found.compared_models] == [
        "lenet5, dropout 0.4", "lenet5", "lenet5, seed 1", "vgg16 (random weights)",
    ]  # fmt: skip
    for compared_model in found.compared_models:
        labels, given = (
            compared_model.run.test.labels,
            compared_model.run.test.probabilities.argmax(1),
        )
        right = accuracy_score(labels, given)
        assert compared_model.accuracy == pytest.approx(right)
        interval = stats.binomtest(round(1000 * right), 1000).proportion_ci(method="wilson")
        assert (compared_model.low, compared_model.high) == pytest.approx(
            (interval.low, interval.high)
        )
        assert compared_model.macro_f1 == pytest.approx(f1_score(labels, given, average="macro"))
        f1 = [score.f1 for score in compared_model.per_class]
        assert f1 == pytest.approx(f1_score(labels, given, average=None))
        assert compared_model.calibration_error == pytest.approx(
            _calibration_error(compared_model.run.test.probabilities, labels)
        )
        assert compared_model.crossval is FOLDS.get(compared_model.run.run_id)


def _calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Image by image into 15 bins, as its definition reads."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for row, label in zip(probabilities.astype(float), labels, strict=True):
        bins.setdefault(math.ceil(row.max() * 15), []).append((row.max(), row.argmax() == label))
    gaps = [abs(sum(hit - top for top, hit in members)) for members in bins.values()]
    return sum(gaps) / len(labels)


def test_every_two_contenders() -> None:
    found = compared(*RUNS)
    by_label = {each.label: each for each in found.compared_models}
    assert [(pair.first, pair.second) for pair in found.pairs] == list(combinations(by_label, 2))
    corrected = stats_holm([pair.p for pair in found.pairs])
    for pair, p_holm in zip(found.pairs, corrected, strict=True):
        first, second = (by_label[label].run.test for label in (pair.first, pair.second))
        won = lost = 0
        for label, one, other in zip(first.labels, first.predicted, second.predicted, strict=True):
            won += one == label != other
            lost += one != label == other
        assert (pair.only_first, pair.only_second) == (won, lost)
        assert pair.difference == pytest.approx((won - lost) / 1000)
        if won + lost < 25:
            assert pair.test == "McNemar, exact"
            assert pair.p == pytest.approx(stats.binomtest(won, won + lost).pvalue)
        else:
            assert pair.test == "McNemar, chi-squared with continuity correction"
            statistic = (abs(won - lost) - 1) ** 2 / (won + lost)
            assert pair.p == pytest.approx(stats.chi2.sf(statistic, 1))
        assert pair.p_holm == pytest.approx(p_holm)
        assert pair.low <= pair.difference <= pair.high
    assert {pair.test for pair in found.pairs} == {
        "McNemar, exact", "McNemar, chi-squared with continuity correction",
    }  # fmt: skip


def stats_holm(p_values: list[float]) -> list[float]:
    """Holm's procedure as its definition reads."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        corrected[at] = highest
    return corrected


def test_cross_validations_on_the_same_folds_alone_are_paired() -> None:
    """The one with another seed has other folds."""
    [pair] = compared(*RUNS, crossvals=FOLDS).crossval_pairs
    assert (pair.first, pair.second) == ("lenet5, dropout 0.4", "lenet5")
    differences = np.array([-0.01, -0.02, 0.01])
    t = differences.mean() / (differences.std(ddof=1) * math.sqrt(1 / 3 + 1 / 2))
    assert pair.difference == pytest.approx(-0.02 / 3)
    assert pair.p == pair.p_holm == pytest.approx(2 * stats.t.sf(abs(t), 2))


def test_tables_hold_the_same() -> None:
    found = compared(*RUNS, crossvals=FOLDS)
    files = tables.files(found)
    told = json.loads(files[names.TABLE_COMPARISON_JSON])
    lines = list(csv.DictReader(StringIO(files[names.TABLE_COMPARISON].decode())))
    assert [line["label"] for line in lines] == [each.label for each in found.compared_models]
    assert [each["run_id"] for each in told["compared_models"]] == [
        line["run_id"] for line in lines
    ]
    for line, each, compared_model in zip(
        lines, told["compared_models"], found.compared_models, strict=True
    ):
        assert (
            each[names.TEST_ACCURACY] == float(line[names.TEST_ACCURACY]) == compared_model.accuracy
        )
        assert float(line["test_accuracy_low"]) == compared_model.low
        assert float(line["f1 class 3"]) == compared_model.per_class[3].f1
        assert float(line["seconds_per_epoch"]) == 2.0
        assert each["options"] == compared_model.run.options.fingerprint_fields()
    assert lines[1][names.CV_VAL_ACCURACY_MEAN] == "0.81"
    assert lines[3][names.FEATURE_SECONDS] == "100.0"
    assert lines[3]["weights"] == "none"
    assert lines[0][names.MODEL_BYTES] == lines[0][names.FIT_SECONDS] == ""
    assert told["compared_models"][0][names.MODEL_BYTES] is None
    assert told["class_names"] == list(CLASS_NAMES)
    assert [each["sentence"] for each in told["findings"]] == [
        finding.sentence for finding in found.findings
    ]
    pairs = list(csv.DictReader(StringIO(files[names.TABLE_PAIRWISE].decode())))
    assert [float(pair["p_holm"]) for pair in pairs] == [pair.p_holm for pair in found.pairs]
    folds = list(csv.DictReader(StringIO(files[names.TABLE_PAIRWISE_CROSSVAL].decode())))
    assert [float(pair["p"]) for pair in folds] == [pair.p for pair in found.crossval_pairs]
    none = tables.files(compared(*RUNS))[names.TABLE_PAIRWISE_CROSSVAL]
    assert none.decode() == "first,second,difference,low,high,p,p_holm\n"


def test_the_description_answers_first_and_fits_a_tag() -> None:
    found = compared(*RUNS)
    words = note(found)
    assert words.startswith("**LeNet-5 (lenet5, dropout 0.4, the best of 3) answers 82.60 % of")
    assert "| lenet5 | 82.00 % | 79.50 % to 84.26 % |" in words
    assert "- *dropout*: Dropout 0.4 instead of 0.0 in lenet5 changes accuracy by +0.60" in words
    many = note(compared(*(run(Train(dropout=at / 100)) for at in range(40))))
    assert len(many) < 8000
    assert many.endswith("More in comparison.html.")


def test_numbers_to_filter_by() -> None:
    assert metrics(compared(*RUNS)) == {
        names.COMPARED_MODELS: 4, names.LEFT_OUT: 0, names.BEST_TEST_ACCURACY: 0.826,
    }  # fmt: skip
