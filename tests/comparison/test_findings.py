"""Every finding states the facts of its numbers, and other facts for other numbers."""

import numpy as np
import pytest

from fmnist import names
from fmnist.options import Crossval, Train
from fmnist.results.training import Evaluation
from tests.helpers.comparisons import compare, compare_four, crossval, run, sentences
from tests.helpers.logged_runs import history

VGG = Train(model="vgg16", weights="none")


def is_significant(sentence: str) -> bool:
    assert "statistically significant" in sentence
    return "not statistically significant" not in sentence


@pytest.mark.parametrize(("lenet", "vgg"), [(180, 100), (100, 180), (152, 150)])
def test_answer(lenet: int, vgg: int) -> None:
    answer = sentences(compare(run(Train(), lenet), run(VGG, vgg)), "answer")
    order = ("lenet5", "vgg16 (random") if lenet > vgg else ("vgg16 (random", "lenet5")
    assert answer.startswith(order[0])
    assert order[1] in answer
    assert f"{lenet / 2:.2f} %" in answer
    assert f"{vgg / 2:.2f} %" in answer
    assert f"{abs(lenet - vgg) / 2:.2f} percentage points" in answer
    assert is_significant(answer) == (abs(lenet - vgg) > 2)
    assert ("p < 0.001" in answer) == (abs(lenet - vgg) > 2)


@pytest.mark.parametrize(
    ("runs", "fact"),
    [
        ([Train(), Train(dropout=0.4)], "2 models were trained from scratch"),
        ([VGG, VGG.model_copy(update={"seed": 1})], "2 models use transfer learning"),
        ([Train(), Train(model="convnet"), VGG], "best of 2 trained from scratch and of 1 with"),
    ],
)
def test_answer_names_the_kinds_of_models(runs: list[Train], fact: str) -> None:
    comparison = compare(*(run(options, 180 - 20 * n) for n, options in enumerate(runs)))
    assert fact in sentences(comparison, "answer")


@pytest.mark.parametrize(
    ("lenet", "vgg", "fact"), [(10.0, 30.0, "5.0 times as long"), (90.0, 3.0, "3.9 times as long")]
)
def test_training_time_includes_features(lenet: float, vgg: float, fact: str) -> None:
    first = run(Train(), 180, fit_seconds=lenet)
    second = run(VGG, 100, fit_seconds=vgg, feature_seconds=20.0)
    cost = sentences(compare(first, second), "cost")
    assert fact in cost
    assert "features: 20.0 s" in cost
    assert sentences(compare(run(Train()), run(VGG)), "cost") == ""


def test_number_of_parameters() -> None:
    parameters = {"parameters_total": 14_753_098, "parameters_trainable": 38_410}
    small = run(Train(), 180, parameters_total=44_426, parameters_trainable=44_426)
    cost = sentences(compare(small, run(VGG, 100, **parameters)), "cost")
    for fact in ("14,753,098 parameters", "38,410 trainable", "332 times", "44,426 parameters"):
        assert fact in cost
    equal = [run(Train(seed=seed), parameters_total=5) for seed in (0, 1)]
    assert "times" not in sentences(compare(*equal), "cost")


def test_generalization() -> None:
    """VGG fits the training rows badly; or it fits them well, but not the test rows."""
    good, bad = history((0.7, 0.8, 0.92)), history((0.4, 0.5, 0.6))
    lenet = run(Train(), 170, past=good)
    underfitted = compare(lenet, run(VGG, 110, past=bad))
    assert "already present on the training rows" in sentences(underfitted, "generalization")
    overfitted = sentences(compare(lenet, run(VGG, 110, past=good)), "generalization")
    assert "arises on unseen images" in overfitted
    for fact in ("30.00 percentage points", "92.00 % and 85.00 %", "92.00 % and 55.00 %"):
        assert fact in overfitted
    assert sentences(compare(run(Train()), run(VGG)), "generalization") == ""


@pytest.mark.parametrize(
    ("trained", "validated", "best", "verdict"),
    [
        (0.95, 0.85, 0.9, " overfits"),
        (0.8, 0.79, 0.9, " underfits (the best model reaches 90.00 %"),
        (0.8, 0.79, 0.8, " neither overfits nor underfits"),
    ],
)
def test_fit(trained: float, validated: float, best: float, verdict: str) -> None:
    past = history((0.1, 0.1, trained), (0.1, 0.1, validated))
    other = run(VGG, 100, past=history((0.1, 0.1, best), (0.1, 0.1, best)))
    for dropout in (0.0, 0.4):
        comparison = compare(run(Train(dropout=dropout), 180, past=past), other)
        finding = sentences(comparison, "fit").splitlines()[0]
        assert verdict in finding
        assert f"{100 * (trained - validated):.2f} percentage points" in finding
        assert ("Dropout" in finding) == (dropout > 0)


def test_fit_is_that_of_the_epoch_whose_weights_were_evaluated() -> None:
    past = history((0.7, 0.8, 0.99), (0.7, 0.79, 0.8), losses=(0.9, 0.5, 0.6))
    best, last = run(Train(), past=past), run(Train(keep="last"), past=past)
    one, other = sentences(compare(best, last), "fit").splitlines()
    assert "epoch 2" in one
    assert "80.00 %" in one
    assert "epoch 3" in other
    assert "99.00 %" in other


def test_convergence() -> None:
    falling = run(Train(), 180, past=history(losses=(0.9, 0.6, 0.5)))
    rising = run(VGG, 100, past=history(losses=(0.9, 0.5, 0.7)))
    one, other = sentences(compare(falling, rising), "convergence").splitlines()
    for fact in ("lenet5 had not converged", "epoch 3 of 3", "0.5000", "-0.2000 per epoch"):
        assert fact in one
    assert other.startswith("vgg16 (random weights) converged")
    assert "epoch 2 of 3" in other


def test_effect_of_one_option() -> None:
    far = sentences(compare(run(Train(), 180), run(Train(dropout=0.4), 100)), "dropout")
    assert far.startswith("Dropout 0.4 instead of 0.0")
    assert "-40.00 percentage points" in far
    assert is_significant(far)
    near = sentences(compare(run(Train(), 150), run(Train(dropout=0.4), 152)), "dropout")
    assert "+1.00 percentage points" in near
    assert not is_significant(near)
    two_options = compare(run(Train(), 150), run(Train(dropout=0.4, seed=1), 152))
    assert sentences(two_options, "dropout") == ""
    better = compare(run(Train(flip="on"), 180), run(Train(), 150))
    assert sentences(better, "techniques").startswith("Flip on instead of off")


def test_mean_effect_of_an_option_over_seeds() -> None:
    def dropout(*correct: int) -> str:
        plain = [run(Train(seed=seed), 150 + seed) for seed in range(3)]
        other = [run(Train(seed=seed, dropout=0.4), n) for seed, n in enumerate(correct)]
        return sentences(compare(*plain, *other), "dropout")

    clear = dropout(160, 161, 163)
    # Differences 10, 10 and 11 of 200: t(2) = 4.3027, s = 0.5774, half = 1.434 of 200.
    for fact in ("3 pairs", "+5.17 percentage points", "+4.45 to +5.88"):
        assert fact in clear
    assert is_significant(clear)
    assert not is_significant(dropout(160, 140, 152))


def test_effects_of_weights_and_inputs() -> None:
    hed = Train(model="vgg16", weights="hed-bsds500")
    larger = hed.model_copy(update={"input_size": 64})
    unit = hed.model_copy(update={"input_scaling": "unit"})
    random = hed.model_copy(update={"weights": "none"})
    comparison = compare(run(hed, 150), run(larger, 190), run(unit, 100), run(random, 60))
    transfer = sentences(comparison, "transfer learning")
    assert "64 x 64 pixels (minimum of vgg16: 32)" in transfer
    assert "BGR minus the mean pixel" in transfer
    size, scaling = sentences(comparison, "input").splitlines()
    assert size.startswith("Input size 64 instead of 32")
    assert "+20.00 percentage points" in size
    assert scaling.startswith("Input scaling unit instead of imagenet")
    assert "-25.00 percentage points" in scaling
    effect = sentences(comparison, "weights").splitlines()[-1]
    assert effect.startswith("Weights none instead of hed-bsds500")


@pytest.mark.parametrize(
    ("weights", "fact", "used"),
    [("imagenet", "starts from ImageNet weights", 1), ("none", "random", 0),
     ("hed-bsds500", "hed-bsds500, not from ImageNet's", 0)],
)  # fmt: skip
def test_weights_of_the_best_backbone(weights: str, fact: str, used: int) -> None:
    comparison = compare(run(Train(), 180), run(Train(model="vgg16", weights=weights), 100))
    finding = sentences(comparison, "transfer learning")
    assert fact in finding
    assert f"{used} of 1" in finding
    assert ("BGR" in finding) == (weights != "none")


def by_class(*wrong: int) -> Evaluation:
    """Predictions for 200 rows, all correct except for these numbers of class 0, 1, and so on."""
    labels = np.arange(200) % 10
    predicted = labels.copy()
    for label, number in enumerate(wrong):
        predicted[np.flatnonzero(labels == label)[:number]] = 9 - label
    return Evaluation(labels, np.eye(10, dtype=np.float32)[predicted])


def test_classes() -> None:
    first, second = by_class(0, 0, 4), by_class(10, 2, 0)
    finding = sentences(compare(run(Train(), first), run(VGG, second)), "classes")
    lenet, vgg = finding.split("; ")
    assert "2 classes" in lenet
    assert "class 0 (5.00 percentage points) and class 1 (1.00" in lenet
    assert "1 classes" in vgg
    assert "class 2 (2.00 percentage points)" in vgg
    equal = sentences(compare(run(Train(), by_class(4)), run(VGG, by_class(4))), "classes")
    assert equal.count("0 classes") == 2


def test_seeds() -> None:
    assert "1 seed" in sentences(compare(run(Train(), 180), run(VGG, 100)), "seeds")
    first = [run(Train(seed=seed, dropout=0.4), 150 + 5 * seed) for seed in range(3)]
    finding = sentences(compare(*first, run(VGG, 100)), "seeds")
    for fact in ("3 seeds", "of lenet5, dropout 0.4 ranges", "75.00 % to 80.00 %", " 5.00 perc"):
        assert fact in finding
    assert "is smaller than the difference of 30.00" in finding
    assert "not smaller" in sentences(compare(*first, run(VGG, 155)), "seeds")


def test_cross_validations() -> None:
    folds = {names.CV_TEST_ACCURACY_MEAN: 0.81, names.CV_TEST_ACCURACY_STD: 0.01}

    def finding(correct: int, *accuracies: float) -> str:
        runs = run(Train(), correct), run(Train(dropout=0.4), correct - 10)
        crossvals = (
            crossval(Crossval(folds=3), 0.8, 0.81, 0.82, **folds),
            crossval(Crossval(folds=3, dropout=0.4), *accuracies),
        )
        by_run = {one.record.run_id: other for one, other in zip(runs, crossvals, strict=True)}
        return sentences(compare(*runs, crossvals=by_run), "cross-validation")

    pair, single = finding(160, 0.7, 0.711, 0.72).splitlines()
    assert "+9.97 percentage points" in pair
    assert is_significant(pair)
    for fact in ("3 fold models", "81.00 % ± 1.00 %", "80.00 %", "within two standard"):
        assert fact in single
    pair, single = finding(150, 0.7, 0.9, 0.82).splitlines()
    assert not is_significant(pair)
    assert "outside two standard" in single


def test_cross_validations_of_models_that_differ_in_several_options_are_omitted() -> None:
    runs = run(Train(), 160), run(Train(epochs=9, dropout=0.4), 150)
    crossvals = {each.record.run_id: crossval(Crossval(folds=3), 0.8, 0.81, 0.82) for each in runs}
    comparison = compare(run(VGG, 170), *runs, crossvals=crossvals)
    assert sentences(comparison, "cross-validation") == ""


def test_near_duplicates() -> None:
    runs = run(Train(), 160), run(VGG, 150)
    assert sentences(compare(*runs), "near-duplicates") == ""
    few, many = (
        sentences(compare(*runs, near_duplicates=rows), "near-duplicates") for rows in (9, 10)
    )
    assert "9 of the 200 test images (4.50 %)" in few
    assert "10 more images" in few
    assert "cannot explain" in few
    assert "could explain" in many


def test_every_finding_has_numbers_and_evidence() -> None:
    comparison = compare_four()
    assert comparison.findings[0].topic == "answer"
    assert len({finding.topic for finding in comparison.findings}) >= 10
    for finding in comparison.findings:
        assert any(letter.isdigit() for letter in finding.sentence), finding
        assert finding.sentence.endswith((".", ".)")), finding
        assert finding.evidence, finding


@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize("epochs", [1, 2])
def test_short_and_unvalidated_histories(epochs: int, validated: bool) -> None:
    past = history((0.7, 0.8)[:epochs], (0.7, 0.8)[:epochs], (0.9, 0.8)[:epochs])
    if not validated:
        columns = (names.TRAIN_LOSS, names.TRAIN_ACCURACY, names.EPOCH_SECONDS)
        past = type(past)(tuple({name: row[name] for name in columns} for row in past.rows))
    keep = {} if validated else {"keep": "last", "validation_fraction": 0}
    comparison = compare(run(Train(**keep), 180, past=past), run(VGG, 100))
    fits = sentences(comparison, "fit").splitlines()
    assert len(fits) == (2 if validated else 1)
    convergence = sentences(comparison, "convergence").splitlines()
    assert len(convergence) == epochs
    assert ("training loss" in "".join(convergence)) == (epochs == 2 and not validated)
