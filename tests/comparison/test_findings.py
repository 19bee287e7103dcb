"""Every finding states the facts of its numbers, and other facts for other numbers."""

import numpy as np
import pytest

from fmnist import names
from fmnist.comparison.findings import MAX_FINDINGS, estimate_gap, find_all
from fmnist.options import Crossval, Train
from fmnist.results.training import Evaluation
from tests.helpers.comparisons import compare, compare_four, crossval, run, sentences
from tests.helpers.logged_runs import history, make_evaluation

VGG = Train(model="vgg16", weights="hed-bsds500")


def replicate(options: Train, *correct: int, **fields: object) -> list:
    """One run per seed with these numbers of 200 test rows classified correctly."""
    return [
        run(options.model_copy(update={"seed": seed}), make_evaluation(n, seed=seed), **fields)
        for seed, n in enumerate(correct)
    ]


def test_certainty_of_one_and_of_several_seeds() -> None:
    single = sentences(compare(run(Train(), 180), *replicate(VGG, 100, 101)), "seeds")
    assert "With one seed of lenet5, " in single
    assert "vgg16" not in single
    several = sentences(compare(*replicate(Train(), 180, 181), *replicate(VGG, 100, 101)), "seeds")
    assert several.startswith("A new training of lenet5 is more accurate")
    for fact in ("over 99 %", "percentage points are detectable"):
        assert fact in several
    equal = compare(*replicate(Train(), 150, 160), *replicate(VGG, 152, 140))
    assert "probability of " in sentences(equal, "seeds")


def test_costs() -> None:
    costs = {"parameters_total": 14_753_098, "fit_seconds": 10.0, "feature_seconds": 20.0}
    small = run(Train(), 180, parameters_total=44_426, fit_seconds=90.0)
    cost = sentences(compare(small, run(VGG, 100, **costs)), "cost")
    assert "vgg16 (hed weights) is 332 times larger than lenet5" in cost
    assert "lenet5 is 3.0 times slower than vgg16 (hed weights)" in cost
    assert sentences(compare(run(Train()), run(VGG)), "cost") == ""


def test_overfitting_needs_an_interval() -> None:
    over, under = history((0.7, 0.8, 0.99)), history((0.7, 0.75, 0.8))
    models = replicate(Train(), 160, 161, past=over), replicate(VGG, 161, 160, past=under)
    finding = sentences(compare(*models[0], *models[1]), "overfitting")
    lenet, vgg = sorted(finding.removeprefix("Training accuracy minus test accuracy: ").split("; "))
    assert lenet.startswith("lenet5 overfits: +18.75 percentage points (95 % interval +")
    assert vgg.startswith("vgg16 (hed weights) may or may not overfit: -0.25")
    assert sentences(compare(models[0][0], models[1][0]), "overfitting") == ""


def test_the_gap_has_the_uncertainty_of_both_accuracies() -> None:
    model = compare(*replicate(Train(), 160, 161), run(VGG)).models[0]
    test = model.accuracy
    gap, low, high = estimate_gap(model, [0.9, 0.9])
    assert gap == pytest.approx(0.9 - test.mean)
    assert (low, high) == pytest.approx((0.9 - test.high, 0.9 - test.low))
    _, lower, _ = estimate_gap(model, [0.89, 0.91])
    half = 12.706 * 0.01  # t quantile with one degree of freedom; standard error 0.01
    assert lower == pytest.approx(gap - np.hypot(test.high - test.mean, half), abs=1e-4)


def test_convergence_counts_trainings() -> None:
    falling, rising = history(losses=(0.9, 0.6, 0.5)), history(losses=(0.9, 0.5, 0.7))
    lenet = [*replicate(Train(), 180, 181, past=falling), run(Train(seed=2), 182, past=rising)]
    finding = sentences(compare(*lenet, *replicate(VGG, 100, 100, past=rising)), "convergence")
    assert "2 of 3 trainings of lenet5 and 0 of 2 trainings of vgg16" in finding
    assert "there, more epochs may help" in finding
    overfitted = [*replicate(Train(), 180, past=rising), *replicate(VGG, 100, past=rising)]
    assert "more epochs" not in sentences(compare(*overfitted), "convergence")


def test_effects_of_single_options() -> None:
    plain, dropout = replicate(Train(), 180, 181), replicate(Train(dropout=0.4), 100, 101)
    [finding] = sentences(compare(*plain, *dropout), "options").splitlines()
    assert finding.startswith("Dropout 0.4 instead of 0.0 changes the accuracy of lenet5 by -40.00")
    assert "; significant (" in finding
    near = compare(*plain, *replicate(Train(flip="on"), 181, 180))
    assert "Flip on instead of off" in sentences(near, "options")
    assert "not significant" in sentences(near, "options")
    two_options = compare(*plain, *replicate(Train(dropout=0.4, flip="on"), 181, 180))
    assert sentences(two_options, "options") == ""


def by_class(*wrong: int) -> Evaluation:
    """Predictions for 200 rows, all correct except for these numbers of class 0, 1, and so on."""
    labels = np.arange(200) % 10
    predicted = labels.copy()
    for label, number in enumerate(wrong):
        predicted[np.flatnonzero(labels == label)[:number]] = 9 - label
    return Evaluation(labels, np.eye(10, dtype=np.float32)[predicted])


def test_classes() -> None:
    first, second = by_class(0, 0, 4), by_class(10, 2, 0)
    lenet, vgg = sentences(compare(run(Train(), first), run(VGG, second)), "classes").split("; ")
    assert "2 classes, mostly class 0 (+5.00) and class 1 (+1.00)" in lenet
    assert "1 class, mostly class 2 (+2.00)" in vgg
    equal = sentences(compare(run(Train(), by_class(4)), run(VGG, by_class(4))), "classes")
    assert equal.count("0 classes") == 2


def test_cross_validations() -> None:
    runs = run(Train(), 160), run(Train(dropout=0.4), 150)
    folds = (0.8, 0.81, 0.82), (0.7, 0.711, 0.72)
    crossvals = {
        each.record.run_id: crossval(Crossval(folds=3), *accuracies)
        for each, accuracies in zip(runs, folds, strict=True)
    }
    finding = sentences(compare(*runs, crossvals=crossvals), "cross-validation")
    assert "+9.97 percentage points" in finding
    assert "; significant" in finding


def test_near_duplicates() -> None:
    runs = run(Train(), 160), run(VGG, 150)
    assert sentences(compare(*runs), "near-duplicates") == ""
    few, many = (
        sentences(compare(*runs, near_duplicates=rows), "near-duplicates") for rows in (9, 10)
    )
    assert "9 of the 200 test images" in few
    assert "cannot explain the difference of 10 images" in few
    assert "could explain" in many


@pytest.mark.parametrize("epochs", [1, 2])
@pytest.mark.parametrize("validated", [True, False])
def test_at_most_eight_findings_with_evidence(epochs: int, validated: bool) -> None:
    past = history((0.7, 0.8)[:epochs], (0.7, 0.8)[:epochs], (0.9, 0.8)[:epochs])
    if not validated:
        columns = (names.TRAIN_LOSS, names.TRAIN_ACCURACY, names.EPOCH_SECONDS)
        past = type(past)(tuple({name: row[name] for name in columns} for row in past.rows))
    keep = {} if validated else {"keep": "last", "validation_fraction": 0}
    short = compare(run(Train(**keep), 180, past=past), run(VGG, 100, past=past))
    assert ("validation loss" in sentences(short, "convergence")) == (epochs == 2 and validated)
    for comparison in (short, compare_four()):
        findings = find_all(comparison)
        assert 1 < len(findings) <= MAX_FINDINGS == 8
        for finding in findings:
            assert any(letter.isdigit() for letter in finding.sentence), finding
            assert finding.sentence.endswith("."), finding
            assert finding.evidence, finding
