"""Labels, scores and tests, compared with independent calculations."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from fmnist import names
from fmnist.comparison.analysis import create_labels
from fmnist.comparison.results import ComparedModel
from fmnist.options import Crossval, Train
from tests.helpers.comparisons import compare, compare_four, crossval, run
from tests.helpers.logged_runs import make_evaluation

VGG = Train(model="vgg16", weights="none")
RUNS = (
    run(Train(), make_evaluation(820, 1000, seed=0)),
    run(Train(dropout=0.4), make_evaluation(826, 1000, seed=0)),
    run(VGG, make_evaluation(600, 1000, seed=3)),
    run(Train(seed=1), make_evaluation(790, 1000, seed=4)),
)
CROSSVALS = {
    RUNS[0].record.run_id: crossval(Crossval(folds=3), 0.8, 0.82, 0.81),
    RUNS[1].record.run_id: crossval(Crossval(folds=3, dropout=0.4), 0.79, 0.8, 0.82),
    # Another seed gives other folds.
    RUNS[3].record.run_id: crossval(Crossval(folds=3, seed=1), 0.79, 0.8, 0.82),
}


def test_scores_of_every_model() -> None:
    comparison = compare(*RUNS, crossvals=CROSSVALS)
    assert [model.label for model in comparison.models] == [
        "lenet5, dropout 0.4", "lenet5", "lenet5, seed 1", "vgg16 (random weights)",
    ]  # fmt: skip
    for model in comparison.models:
        labels = model.run.test.labels
        predicted = model.run.test.probabilities.argmax(axis=1)
        accuracy = accuracy_score(labels, predicted)
        interval = stats.binomtest(round(1000 * accuracy), 1000).proportion_ci(method="wilson")
        assert (model.accuracy, model.low, model.high) == pytest.approx((accuracy, *interval))
        assert model.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro"))
        f1 = [score.f1 for score in model.per_class]
        assert f1 == pytest.approx(f1_score(labels, predicted, average=None))
        assert model.crossval is CROSSVALS.get(model.run.record.run_id)


def test_every_pair_of_models() -> None:
    comparison = compare(*RUNS)
    models = {model.label: model for model in comparison.models}
    assert [(p.first, p.second) for p in comparison.pairs] == list(combinations(models, 2))
    corrected = holm([pair.p for pair in comparison.pairs])
    for pair, p_holm in zip(comparison.pairs, corrected, strict=True):
        first, second = (models[label].run.test for label in (pair.first, pair.second))
        won = lost = 0
        for label, one, other in zip(first.labels, first.predicted, second.predicted, strict=True):
            won += one == label != other
            lost += one != label == other
        assert (pair.only_first, pair.only_second) == (won, lost)
        assert pair.difference == pytest.approx((won - lost) / 1000)
        if won + lost < 25:
            assert pair.p == pytest.approx(stats.binomtest(won, won + lost).pvalue)
        else:
            statistic = (abs(won - lost) - 1) ** 2 / (won + lost)
            assert pair.p == pytest.approx(stats.chi2.sf(statistic, 1))
        assert ("exact" in pair.test) == (won + lost < 25)
        assert pair.p_holm == pytest.approx(p_holm)
        assert pair.low <= pair.difference <= pair.high
    assert len({pair.test for pair in comparison.pairs}) == 2


def holm(p_values: list[float]) -> list[float]:
    """Holm's procedure by its definition."""
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        corrected[at] = highest
    return corrected


def test_only_cross_validations_on_the_same_folds_are_compared() -> None:
    [pair] = compare(*RUNS, crossvals=CROSSVALS).crossval_pairs
    assert (pair.first, pair.second) == ("lenet5, dropout 0.4", "lenet5")
    differences = np.array([-0.01, -0.02, 0.01])
    t = differences.mean() / (differences.std(ddof=1) * math.sqrt(1 / 3 + 1 / 2))
    assert pair.difference == pytest.approx(-0.02 / 3)
    assert pair.p == pair.p_holm == pytest.approx(2 * stats.t.sf(abs(t), 2))


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ({Train(): 88, Train(dropout=0.4): 89, VGG: 82}, ["lenet5, dropout 0.4", "vgg16"]),
        ({Train(): 80, Train(seed=1): 85}, ["lenet5, seed 1", "lenet5"]),
        ({VGG: 82, Train(model="resnet50", weights="none"): 71}, ["vgg16", "resnet50"]),
        ({VGG: 82, Train(): 60}, ["vgg16", "lenet5"]),
        ({Train(): 88, Train(model="convnet"): 94, VGG: 82}, ["convnet", "vgg16"]),
    ],
    ids=["both kinds", "two LeNets", "two backbones", "backbone first", "two from scratch"],
)
def test_finalists(runs: dict[Train, int], expected: list[str]) -> None:
    comparison = compare(*(run(options, make_evaluation(n, 100)) for options, n in runs.items()))
    labels = [model.label.removesuffix(" (random weights)") for model in comparison.finalists]
    assert labels == expected


def test_a_pair_can_be_read_in_both_directions() -> None:
    comparison = compare_four()
    first, *_, last = comparison.models
    pair, swapped = comparison.pair(first, last), comparison.pair(last, first)
    assert pair in comparison.pairs
    assert swapped.difference == -pair.difference < 0
    assert (swapped.low, swapped.high) == (-pair.high, -pair.low)
    assert (swapped.only_first, swapped.only_second) == (pair.only_second, pair.only_first)
    other = replace(first, label="other")
    with pytest.raises(KeyError, match="other"):
        comparison.pair(first, other)


def test_costs_of_features_count_even_if_they_were_cached() -> None:
    def seconds(**metrics: float) -> tuple[float | None, float | None]:
        model: ComparedModel = compare(run(Train(), **metrics), run(VGG, 100)).models[0]
        return model.feature_seconds, model.training_seconds

    assert seconds() == (None, None)
    assert seconds(fit_seconds=2.0) == (None, 2.0)
    assert seconds(fit_seconds=2.0, feature_seconds=5.0) == (5.0, 7.0)
    costs = {names.FEATURE_SECONDS: 0.1, names.FEATURE_COST_SECONDS: 60.0}
    assert seconds(fit_seconds=2.0, **costs) == (60.0, 62.0)


FEW = {"epochs": 3, "batch_size": 64}
STRONG = {"recipe": "strong"}


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ([{}, {"model": "vgg16"}], ["lenet5", "vgg16"]),
        (
            [FEW, FEW | {"dropout": 0.4}, FEW | {"seed": 1, "drop_duplicates": "on"}],
            ["lenet5", "lenet5, dropout 0.4", "lenet5, seed 1, drop duplicates on"],
        ),
        (
            [{}, STRONG, STRONG | {"translate": 0, "epochs": 60}, {"flip": "on"}],
            ["lenet5", "lenet5, recipe strong", "lenet5, recipe strong, epochs 60, translate 0",
             "lenet5, flip on"],
        ),
        ([STRONG, STRONG | {"ema": 0}], ["lenet5", "lenet5, ema 0.0"]),
        (
            [{"model": "vgg16", "weights": weights} for weights in ("hed-bsds500", "none")],
            ["vgg16 (hed-bsds500 weights)", "vgg16 (random weights)"],
        ),
        (
            [{"model": "vgg16", "weights": "folder/my.weights.h5"}, {}],
            ["vgg16 (my.weights.h5 weights)", "lenet5"],
        ),
    ],
    ids=["models", "options", "recipes", "same recipe", "weights", "weights file"],
)  # fmt: skip
def test_labels_contain_what_differs(options: list[dict], labels: list[str]) -> None:
    assert create_labels([run(Train(**each)) for each in options]) == labels


def test_labels_contain_the_weights_that_were_used() -> None:
    vgg = run(Train(model="vgg16"), tags={names.TAG_WEIGHTS: "none"})
    assert create_labels([vgg, run(Train())])[0] == "vgg16 (random weights)"


def test_labels_of_equal_runs_contain_the_start_of_their_ids() -> None:
    ids = ("abcdef0123" + "0" * 22, "abcdef0127" + "0" * 22, "f" * 32)
    runs = [run(Train(cache_dir="one")), run(Train(cache_dir="two")), run(Train(seed=1))]
    runs = [
        replace(each, record=replace(each.record, run_id=run_id))
        for each, run_id in zip(runs, ids, strict=True)
    ]
    assert create_labels(runs) == [
        "lenet5 (run abcdef0123)", "lenet5 (run abcdef0127)", "lenet5, seed 1",
    ]  # fmt: skip
