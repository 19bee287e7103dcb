"""Labels, scores, choices and tests, compared with independent calculations."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.multitest import multipletests

from fmnist import names
from fmnist.comparison.labels import create_labels, find_shared_settings
from fmnist.comparison.models import ComparedModel
from fmnist.evaluation.procedures import compare_procedures
from fmnist.options import Crossval, Train
from tests.helpers.comparisons import compare, compare_four, crossval, epoch, run
from tests.helpers.logged_runs import history, make_evaluation

VGG = Train(model="vgg16", weights="hed-bsds500")
RANDOM = Train(model="resnet50", weights="none")
RUNS = (
    run(Train(), make_evaluation(820, 1000, seed=0), past=epoch(0.85)),
    run(Train(seed=1), make_evaluation(826, 1000, seed=1), past=epoch(0.83)),
    run(VGG, make_evaluation(600, 1000, seed=3), past=epoch(0.6)),
    run(Train(dropout=0.4), make_evaluation(890, 1000, seed=4), past=epoch(0.7)),
)
CROSSVALS = {
    RUNS[0].record.run_id: crossval(Crossval(folds=3), 0.8, 0.82, 0.81),
    RUNS[2].record.run_id: crossval(Crossval(folds=3, split_seed=1), 0.79, 0.8, 0.82),
    RUNS[3].record.run_id: crossval(Crossval(folds=3, dropout=0.4), 0.79, 0.8, 0.82),
}


def test_runs_with_other_seeds_are_one_model_with_mean_scores() -> None:
    lenet, dropout, vgg = compare(*RUNS, crossvals=CROSSVALS).models
    assert [lenet.label, dropout.label, vgg.label] == [
        "lenet5", "lenet5 dropout 0.4", "vgg16 (hed weights)",
    ]  # fmt: skip
    assert lenet.runs == RUNS[:2]
    assert (lenet.accuracy.mean, lenet.accuracy.seeds) == (pytest.approx(0.823), 2)
    assert lenet.accuracy.std == pytest.approx(np.std([0.82, 0.826], ddof=1))
    assert lenet.validation_accuracy == pytest.approx(0.84)
    predictions = [(each.test.labels, each.test.probabilities.argmax(axis=1)) for each in RUNS[:2]]
    expected = [f1_score(*each, average=None) for each in predictions]
    assert lenet.f1_by_class == pytest.approx(np.mean(expected, axis=0))
    assert lenet.macro_f1 == pytest.approx(np.mean(expected))
    assert lenet.crossval is CROSSVALS[RUNS[0].record.run_id]


def test_models_are_ranked_and_chosen_by_validation_accuracy() -> None:
    comparison = compare(*RUNS)
    assert [model.accuracy.mean for model in comparison.models] == pytest.approx([0.823, 0.89, 0.6])
    [question] = comparison.questions
    # lenet5 dropout 0.4 has the higher test accuracy, but the lower validation accuracy.
    assert (question.first.label, question.second.label) == ("lenet5", "vgg16 (hed weights)")
    without = run(Train(keep="last", validation_fraction=0), 200, past=unvalidated())
    assert compare(without, run(Train(), 100), run(VGG, 150)).models[-1].runs == (without,)


def unvalidated() -> object:
    columns = (names.TRAIN_LOSS, names.TRAIN_ACCURACY, names.EPOCH_SECONDS)
    past = history()
    return type(past)(tuple({name: row[name] for name in columns} for row in past.rows))


TUNED = Train(recipe="strong")


@pytest.mark.parametrize(
    ("options", "questions"),
    [
        ([Train(), Train(dropout=0.4), VGG, RANDOM], [("", "lenet5", "vgg16 (hed weights)")]),
        ([TUNED, VGG], [("", "lenet5 strong", "vgg16 (hed weights)")]),
        ([Train(), RANDOM], []),
        ([VGG, RANDOM], []),
        (
            [TUNED, Train(), VGG],
            [("as in the report", "lenet5", "vgg16 (hed weights)"),
             ("both at their best", "lenet5 strong", "vgg16 (hed weights)")],
        ),
        (
            [Train(epochs=2), VGG.model_copy(update={"input_size": 48}), VGG],
            [("as in the report", "lenet5 epochs 2", "vgg16 (hed weights)"),
             ("both at their best", "lenet5 epochs 2", "vgg16 (hed weights) input size 48")],
        ),
        (
            [Train(model="convnet"), Train(), VGG],
            [("as in the report", "lenet5", "vgg16 (hed weights)"),
             ("both at their best", "convnet", "vgg16 (hed weights)")],
        ),
    ],
    ids=["report", "tuned", "no pretrained", "no scratch", "recipe", "input size", "convnet"],
)  # fmt: skip
def test_questions(options: list[Train], questions: list[tuple[str, str, str]]) -> None:
    """Random features never represent transfer learning. Earlier models are better here."""
    runs = [
        run(each, 190 - 10 * rank, past=epoch(0.9 - rank / 10)) for rank, each in enumerate(options)
    ]
    asked = compare(*runs).questions
    assert [(each.setting, each.first.label, each.second.label) for each in asked] == questions


def test_every_pair_of_models() -> None:
    comparison = compare_four()
    models = {model.label: model for model in comparison.models}
    assert [(p.first, p.second) for p in comparison.pairs] == list(combinations(models, 2))
    _, corrected, *_ = multipletests([pair.p_value for pair in comparison.pairs], method="holm")
    for pair, p_holm in zip(comparison.pairs, corrected, strict=True):
        correct = [
            np.array([each.test.predicted == each.test.labels for each in models[label].runs])
            for label in (pair.first, pair.second)
        ]
        expected = compare_procedures(*correct)
        assert (pair.difference, pair.p_value) == (expected.difference, expected.p_value)
        assert pair.probability_first_better == expected.probability_first_better
        assert pair.p_holm == pytest.approx(p_holm)
        swapped = comparison.pair(models[pair.second], models[pair.first])
        assert (swapped.low, swapped.high) == (-pair.high, -pair.low)
        assert swapped.swap() == pair
    other = replace(comparison.models[0], label="other")
    with pytest.raises(KeyError, match="other"):
        comparison.pair(comparison.models[1], other)


def test_only_cross_validations_on_the_same_folds_are_compared() -> None:
    [pair] = compare(*RUNS, crossvals=CROSSVALS).crossval_pairs
    assert (pair.first, pair.second) == ("lenet5", "lenet5 dropout 0.4")
    differences = np.array([0.01, 0.02, -0.01])
    t = differences.mean() / (differences.std(ddof=1) * math.sqrt(1 / 3 + 1 / 2))
    assert pair.difference == pytest.approx(0.02 / 3)
    assert pair.p_value == pair.p_holm == pytest.approx(2 * stats.t.sf(abs(t), 2))


def test_costs_are_means_and_include_cached_features() -> None:
    def seconds(*metrics: dict[str, float]) -> tuple[float | None, float | None]:
        runs = [run(Train(seed=seed), **each) for seed, each in enumerate(metrics)]
        model: ComparedModel = compare(*runs, run(VGG, 100)).models[0]
        return model.feature_seconds, model.training_seconds

    assert seconds({}) == (None, None)
    assert seconds({"fit_seconds": 2.0}, {"fit_seconds": 4.0}) == (None, 3.0)
    assert seconds({"fit_seconds": 2.0, "feature_seconds": 5.0}) == (5.0, 7.0)
    costs = {names.FEATURE_SECONDS: 0.1, names.FEATURE_COST_SECONDS: 60.0}
    assert seconds({"fit_seconds": 2.0, **costs}) == (60.0, 62.0)


def test_a_class_without_test_images_has_no_f1() -> None:
    comparison = compare(run(Train(), make_evaluation(5, 9)), run(VGG, make_evaluation(4, 9)))
    assert [score is None for score in comparison.models[0].f1_by_class] == [False] * 9 + [True]


FEW = {"epochs": 3, "batch_size": 64}
STRONG = {"recipe": "strong"}


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ([{}, {"model": "vgg16"}], ["lenet5", "vgg16"]),
        (
            [FEW, FEW | {"dropout": 0.4}, FEW | {"translate": 1, "drop_duplicates": "on"}],
            ["lenet5", "lenet5 dropout 0.4", "lenet5 drop duplicates on, translate 1"],
        ),
        (
            [{}, STRONG, STRONG | {"translate": 0, "epochs": 60}, {"flip": "on"}],
            ["lenet5", "lenet5 strong", "lenet5 strong, epochs 60, translate 0", "lenet5 flip on"],
        ),
        (
            [{}, {"recipe": "lenet5-10"}, {"recipe": "vgg16-frozen", "dropout": 0.4}],
            ["lenet5", "lenet5-10", "vgg16-frozen (hed weights) dropout 0.4"],
        ),
        ([STRONG, STRONG | {"ema": 0}], ["lenet5", "lenet5 ema 0.0"]),
        (
            [{"model": "vgg16", "weights": weights} for weights in ("hed-bsds500", "none")],
            ["vgg16 (hed weights)", "vgg16 (random weights)"],
        ),
        (
            [{"model": "vgg16", "weights": "folder/my.weights.h5"}, {}],
            ["vgg16 (my.weights.h5 weights)", "lenet5"],
        ),
    ],
    ids=["models", "options", "recipes", "named recipes", "same recipe", "weights", "weights file"],
)  # fmt: skip
def test_labels_contain_what_differs(options: list[dict], labels: list[str]) -> None:
    assert create_labels([run(Train(**each)) for each in options]) == labels


def test_shared_settings_are_the_main_options_and_those_not_at_the_default() -> None:
    runs = [run(Train(**FEW, dropout=dropout, optimizer="sgd")) for dropout in (0, 0.4)]
    assert find_shared_settings(runs) == {
        "train_size": "0", "epochs": "3", "batch_size": "64", "learning_rate": "0.001",
        "validation_fraction": "0.1", "optimizer": "sgd",
    }  # fmt: skip


def test_labels_of_equal_runs_contain_the_start_of_their_ids() -> None:
    runs = [run(Train(cache_dir="one")), run(Train(cache_dir="two")), run(Train(dropout=0.1))]
    runs[0] = replace(runs[0], record=replace(runs[0].record, run_id="abcdef01" + "0" * 24))
    assert create_labels(runs) == [
        "lenet5 (run abcdef01)", "lenet5 (run 00000000)", "lenet5 dropout 0.1",
    ]  # fmt: skip
