"""Every rule says one thing of some numbers and another of contrary ones."""

import numpy as np
import pytest

from fmnist import names
from fmnist.options import Crossval, Train
from fmnist.results.runs import LoggedRun
from fmnist.results.training import Evaluation
from tests.helpers.comparisons import compared, crossval, run, told
from tests.helpers.logged_runs import answers, history

VGG = Train(model="vgg16", weights="none")


def test_who_is_ahead_and_that_it_is_real() -> None:
    answer = told(compared(run(Train(), 180), run(VGG, 100)), "answer")
    assert answer.startswith(
        "LeNet-5 (lenet5) answers 90.00 % of the 200 test images rightly, transfer learning "
        "(vgg16 (random weights)) 50.00 %: lenet5 is ahead by 40.00 points"
    )
    assert "more than chance among the test images gives (p < 0.001)" in answer
    turned = told(compared(run(Train(), 100), run(Train(dropout=0.4), 90), run(VGG, 180)), "answer")
    assert turned.startswith("Transfer learning (vgg16 (random weights)) answers 90.00 %")
    assert "LeNet-5 (lenet5, the best of 2) 50.00 %" in turned


def test_that_another_network_of_our_own_is_no_transfer() -> None:
    convnet = run(Train(model="convnet"), 190)
    answer = told(compared(convnet, run(Train(), 180), run(VGG, 100)), "answer")
    assert answer.startswith("Training from scratch (convnet, the best of 2) answers 95.00 %")
    assert "transfer learning (vgg16 (random weights)) 50.00 %" in answer


def test_what_a_technique_does() -> None:
    """The report's way comes first, whichever run is newer."""
    finding = told(compared(run(Train(flip="on"), 180), run(Train(), 150)), "techniques")
    assert finding.startswith("Flip on instead of off in lenet5 changes accuracy by +15.00 points")


def test_that_a_small_difference_may_be_chance() -> None:
    answer = told(compared(run(Train(), 152), run(VGG, 150)), "answer")
    assert "they are 1.00 points (95 % interval 0.00 to +2.50 points) apart, which" in answer
    assert "chance among the test images explains (p = 0.50)" in answer


def test_that_one_side_is_missing() -> None:
    found = compared(run(Train(), 180), run(Train(dropout=0.4), 100))
    assert "All 2 models are of LeNet-5: how it stands against transfer" in told(found, "answer")
    found = compared(run(VGG, 180), run(VGG.model_copy(update={"seed": 1}), 100))
    assert "All 2 models are of transfer learning: how it stands against LeNet-5" in told(
        found, "answer"
    )
    assert "models are" not in told(compared(run(Train()), run(VGG)), "answer")


@pytest.mark.parametrize(("lenet", "vgg"), [(10.0, 30.0), (90.0, 3.0)])
def test_what_it_costs(lenet: float, vgg: float) -> None:
    first = run(Train(), 180, fit_seconds=lenet)
    second = run(VGG, 100, fit_seconds=vgg, feature_seconds=20.0)
    cost = told(compared(first, second), "cost")
    assert cost.startswith(f"lenet5 took {lenet} s to train, vgg16 (random weights)")
    assert "(20.0 s of them for features)" in cost
    dearer = "vgg16 (random weights) costs 5.0 times" if vgg > lenet else "lenet5 costs 3.9 times"
    assert cost.endswith(f"{dearer} as much.")
    assert told(compared(run(Train()), run(VGG)), "cost") == ""


def test_features_from_the_cache_cost_what_they_did_when_they_were_computed() -> None:
    cached = run(VGG, fit_seconds=1, feature_seconds=0.1, feature_cost_seconds=600)
    costs = told(compared(run(Train(), fit_seconds=1), cached), "cost")
    assert "(10 min 0 s of them for features)" in costs
    assert "601 times as much" in costs


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ((180, 100), "332 times as many, and is 40.00 points less accurate"),
        ((100, 180), "332 times as many, and is 40.00 points more accurate"),
        ((100, 100), "332 times as many, and is as accurate"),
    ],
)
def test_whether_the_larger_one_is_better(right: tuple[int, int], words: str) -> None:
    lenet = run(Train(), right[0], parameters_total=44_426, parameters_trainable=44_426)
    vgg = run(VGG, right[1], parameters_total=14_753_098, parameters_trainable=38_410)
    capacity = told(compared(lenet, vgg), "capacity")
    assert "has 14,753,098 parameters (38,410 of them trained), lenet5 44,426: " in capacity
    assert capacity.endswith(f"{words}.")


def test_models_of_one_size() -> None:
    pair = [run(Train(seed=seed), parameters_total=5) for seed in (0, 1)]
    assert told(compared(*pair), "capacity").startswith("Both have 5 parameters")


def test_where_the_difference_comes_from() -> None:
    """VGG fits its training rows badly; or it fits them as well, and does not carry over."""
    good, bad = (0.7, 0.8, 0.92), (0.4, 0.5, 0.6)
    lenet = run(Train(), 170, past=history(trained=good))
    why = told(compared(lenet, run(VGG, 110, past=history(trained=bad))), "why")
    assert "Most of the 30.00 points are there on the training rows already" in why
    assert "vgg16 (random weights) fits them to 60.00 %, lenet5 to 92.00 %" in why
    why = told(compared(lenet, run(VGG, 110, past=history(trained=good))), "why")
    assert "The 30.00 points arise on new images" in why
    assert "lenet5 changes by -7.00 points and vgg16 (random weights) by -37.00" in why
    assert told(compared(run(Train()), run(VGG)), "why") == ""


def fit(trained: float, validated: float, others: float = 0.9, **options: float) -> str:
    past = history(trained=(0.1, 0.1, trained), validated=(0.1, 0.1, validated))
    other = run(VGG, 100, past=history(trained=(0.1, 0.1, others), validated=(0.1, 0.1, others)))
    found = compared(run(Train(**options), 180, past=past), other)
    return told(found, "fit").splitlines()[0]


def test_over_and_underfitting() -> None:
    assert fit(0.95, 0.85).startswith("lenet5 overfits: in the epoch that was kept (3)")
    assert "95.00 % of the training rows and 85.00 % of the validation rows, 10.00 p" in fit(
        0.95, 0.85
    )
    assert fit(0.8, 0.79).startswith("lenet5 underfits:")
    assert "the best fit of all models is 90.00 %" in fit(0.8, 0.79)
    assert fit(0.8, 0.79, others=0.8).startswith("lenet5 does not overfit, and no model")
    assert "Dropout is on while" not in fit(0.95, 0.85)
    assert "Dropout is on while the training accuracy of lenet5" in fit(0.95, 0.85, dropout=0.4)


def test_the_gap_is_that_of_the_epoch_that_was_kept() -> None:
    past = history((0.7, 0.8, 0.99), (0.7, 0.79, 0.8), losses=(0.9, 0.5, 0.6))
    best, last = run(Train(), past=past), run(Train(keep="last"), past=past)
    fits = told(compared(best, last), "fit").splitlines()
    assert "(2) it is right on 80.00 % of the training rows and 79.00 %" in fits[0]
    assert "(3) it is right on 99.00 % of the training rows and 80.00 %" in fits[1]


def test_convergence() -> None:
    falling = run(Train(), 180, past=history(losses=(0.9, 0.6, 0.5)))
    over = run(VGG, 100, past=history(losses=(0.9, 0.5, 0.7)))
    said = told(compared(falling, over), "convergence").splitlines()
    assert said[0] == (
        "lenet5 had not converged: its validation loss was lowest in the last epoch, 3 (0.5000; "
        "-0.2000 an epoch over the last 3), so more epochs may still help."
    )
    assert said[1].startswith(
        "vgg16 (random weights) had converged: its validation loss was lowest in epoch 2 of 3"
    )


def test_one_option_between_two_runs() -> None:
    far = compared(run(Train(), 180), run(Train(dropout=0.4), 100))
    assert told(far, "dropout").startswith(
        "Dropout 0.4 instead of 0.0 in lenet5 changes accuracy by -40.00 points (95 % interval -4"
    )
    assert "more than chance among the test images gives (p < 0.001)" in told(far, "dropout")
    near = compared(run(Train(), 150), run(Train(dropout=0.4), 152))
    assert "by +1.00 points" in told(near, "dropout")
    assert "which may be chance (p = 0.50)" in told(near, "dropout")
    neither = compared(run(Train(), 150), run(Train(dropout=0.4, seed=1), 152))
    assert told(neither, "dropout") == ""


def test_one_option_over_several_seeds() -> None:
    def dropout(*right: int) -> str:
        plain = [run(Train(seed=seed), 150 + seed) for seed in range(3)]
        other = [run(Train(seed=seed, dropout=0.4), each) for seed, each in enumerate(right)]
        return told(compared(*plain, *other), "dropout")

    clear = dropout(160, 161, 163)
    # Differences 10, 10 and 11 of 200: t(2) = 4.3027, s = 0.5774, half = 1.434 of 200.
    assert "in lenet5 changes accuracy by +5.17 points on average over 3 pairs" in clear
    assert "(95 % interval +4.45 to +5.88 points, paired t), more than" in clear
    assert "which may be chance" in dropout(160, 140, 152)


def test_inputs_and_weights_of_backbones() -> None:
    hed = Train(model="vgg16", weights="hed-bsds500")
    larger = hed.model_copy(update={"input_size": 64})
    unit = hed.model_copy(update={"input_scaling": "unit"})
    random = hed.model_copy(update={"weights": "none"})
    found = compared(run(hed, 150), run(larger, 190), run(unit, 100), run(random, 60))
    given, size, scaling = told(found, "input").splitlines()
    assert given.startswith("vgg16 (hed-bsds500 weights), input size 64 was fed pixels as they")
    assert size.startswith("Input size 64 instead of 32 in vgg16 (hed-bsds500 weights) changes")
    assert "by +20.00 points" in size
    assert scaling.startswith("Input scaling unit instead of imagenet in vgg16 (hed-bsds500 w")
    assert "by -25.00 points" in scaling
    weights = told(found, "weights").splitlines()[-1]
    assert weights.startswith("Weights none instead of hed-bsds500 in vgg16 changes accuracy by")


def test_what_the_best_backbone_was_given() -> None:
    def given(**options: object) -> str:
        vgg = Train(model="vgg16", **options)  # type: ignore[arg-type]
        return told(compared(run(Train(), 180), run(vgg, 100)), "input")

    assert "at 32 x 32 pixels, the smallest size that it takes" in given()
    assert "at 64 x 64 pixels, 2.0 times the smallest size that it takes (32)" in given(
        input_size=64
    )
    assert "fed pixels as they should be: ImageNet weights of vgg16 expect BGR minus" in given()
    assert "fed pixels of 0..1, where ImageNet weights of vgg16 expect BGR minus" in given(
        input_scaling="unit"
    )
    assert "pixels as they" not in given(weights="none")
    assert told(compared(run(Train()), run(Train(seed=1))), "input") == ""


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("imagenet", "rests on ImageNet weights, as transfer learning is usually meant; models "
         "with ImageNet weights: 1 of 1"),
        ("none", "rests on random weights: nothing was transferred"),
        ("hed-bsds500", "rests on the weights hed-bsds500, not ImageNet's: it says nothing"),
    ],
)  # fmt: skip
def test_whether_it_speaks_for_imagenet(weights: str, words: str) -> None:
    found = compared(run(Train(), 180), run(Train(model="vgg16", weights=weights), 100))
    assert words in told(found, "weights")
    assert "50.00 % of vgg16" in told(found, "weights")


def by_class(*wrong: int) -> Evaluation:
    """All of 200 rows right but so many of class 0, of class 1, and so on."""
    labels = np.arange(200) % 10
    given = labels.copy()
    for label, number in enumerate(wrong):
        given[np.flatnonzero(labels == label)[:number]] = 9 - label
    return Evaluation(labels, np.eye(10, dtype=np.float32)[given])


def test_which_classes_decide() -> None:
    def classes(first: Evaluation, second: Evaluation) -> str:
        return told(compared(run(Train(), first), run(VGG, second)), "classes")

    assert classes(by_class(0, 0, 4), by_class(10, 2, 0)) == (
        "Half or more of the 4.00 points by which lenet5 is ahead of vgg16 (random weights) comes "
        "from class 0 (5.00 points); vgg16 (random weights) is better on class 2 (2.00 points)."
    )
    assert classes(by_class(), by_class(4, 4, 1)) == (
        "Half or more of the 4.50 points by which lenet5 is ahead of vgg16 (random weights) comes "
        "from class 0 (2.00 points) and class 1 (2.00 points); vgg16 (random weights) is better on "
        "none (10 classes)."
    )
    assert classes(by_class(4), by_class(0, 4)).endswith(": they cancel out.")
    assert "on equally many images of every class" in classes(by_class(4), by_class(4))


def test_seeds() -> None:
    once = told(compared(run(Train(), 180), run(VGG, 100)), "seeds")
    assert once.startswith("Every model was trained with 1 seed")
    dropped = [run(Train(seed=seed, dropout=0.4), 150) for seed in range(2)]
    found = compared(*dropped, run(VGG, 100))
    assert told(found, "seeds").startswith("Over 2 seeds lenet5, dropout 0.4 reaches 75.00 % to")
    first = [run(Train(seed=seed), 150 + 5 * seed) for seed in range(3)]
    assert told(compared(*first, run(VGG, 100)), "seeds") == (
        "Over 3 seeds lenet5 reaches 75.00 % to 80.00 %: the seed alone moves it by 5.00 points, "
        "less than the 30.00 points between lenet5, seed 2 and vgg16 (random weights)."
    )
    assert "no less than the 2.50 points" in told(compared(*first, run(VGG, 155)), "seeds")


def test_cross_validations() -> None:
    pair = run(Train(), 160), run(Train(dropout=0.4), 150)
    folds = Crossval(folds=3), Crossval(folds=3, dropout=0.4)
    spread = {names.CV_TEST_ACCURACY_MEAN: 0.81, names.CV_TEST_ACCURACY_STD: 0.01}

    def said(runs: tuple[LoggedRun, ...], *held_out: float) -> str:
        found = crossval(folds[0], 0.8, 0.81, 0.82, **spread), crossval(folds[1], *held_out)
        by_run = {run.run_id: each for run, each in zip(runs, found, strict=True)}
        return told(compared(*runs, crossvals=by_run), "cross-validation")

    clear = said(pair, 0.7, 0.711, 0.72)
    assert "lenet5 differs from lenet5, dropout 0.4 by +9.97 points on the held-out" in clear
    assert "more than chance in the choice of rows gives" in clear
    assert "chance in the choice of rows explains it" in said(pair, 0.7, 0.9, 0.82)
    assert "3 networks with the options of lenet5, trained on other parts of the rows" in clear
    assert "81.00 % ± 1.00 points" in clear
    assert "the 80.00 % of the single run lies within two standard deviations" in clear
    vgg = run(VGG, 170)
    folds_of = {each.run_id: crossval(Crossval(folds=3), 0.8, 0.81, 0.82) for each in pair}
    assert "On the same folds lenet5 differs from" in told(
        compared(vgg, *pair, crossvals=folds_of), "cross-validation"
    )
    more = pair[0], run(Train(epochs=9, dropout=0.4), 150)
    folds_of = {each.run_id: crossval(Crossval(folds=3), 0.8, 0.81, 0.82) for each in more}
    assert told(compared(vgg, *more, crossvals=folds_of), "cross-validation") == ""
    away = run(Train(), 150), run(Train(dropout=0.4), 140)
    assert "the 75.00 % of the single run lies outside two" in said(away, 0.7, 0.7, 0.7)


def test_near_duplicates() -> None:
    runs = run(Train(), 160), run(VGG, 150)
    assert told(compared(*runs), "near-duplicates") == ""
    few, many = (told(compared(*runs, near=near), "near-duplicates") for near in (9, 10))
    assert few == (
        "9 of the 200 test images (4.50 %) nearly equal a training image; lenet5 and vgg16 "
        "(random weights) are 10 answers apart, so these images alone cannot make the difference."
    )
    assert many.endswith("so these images could make the difference.")
    dropped = compared(run(Train(), 160), run(Train(drop_duplicates="on"), 100))
    assert told(dropped, "near-duplicates").startswith("Drop duplicates on instead of off in lenet")


def test_every_finding_has_numbers_and_evidence() -> None:
    found = compared(
        run(Train(), answers(180, seed=1), fit_seconds=3.0, parameters_total=5),
        run(Train(dropout=0.4), answers(170), fit_seconds=3.0, parameters_total=5),
        run(VGG, answers(100, seed=2), fit_seconds=3.0, parameters_total=9),
        near=3,
    )
    assert found.findings[0].topic == "answer"
    assert len({finding.topic for finding in found.findings}) >= 10
    for finding in found.findings:
        assert any(letter.isdigit() for letter in finding.sentence), finding
        assert finding.sentence.endswith((".", ".)")), finding
        assert finding.evidence, finding
