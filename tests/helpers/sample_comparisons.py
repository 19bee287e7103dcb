"""Comparisons that no run stands behind, as many models and as odd as a test wants them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import binomtest

from fmnist import names
from fmnist.comparison.results import (
    ComparedModel,
    Comparison,
    CrossvalPair,
    Finding,
    LeftOut,
    Pair,
)
from fmnist.evaluation import metrics as scores
from fmnist.evaluation.statistics import wilson_interval
from fmnist.options import Crossval, Train
from fmnist.results.runs import LoggedCrossval, LoggedRun
from fmnist.results.training import CLASSES, Evaluation, History

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True)
class Made:
    """What a test says of a model; the rest is filled in.

    Args:
        accuracy: met as exactly as the rows allow.
        without: names of metrics that the run has not logged.
        alike: models of one number make the same mistakes.
    """

    label: str
    model: str = "lenet5"
    accuracy: float = 0.88
    epochs: int = 10
    validated: bool = True
    parameters: int = 44_426
    trainable: int = 44_426
    fit_seconds: float = 23.456
    feature_seconds: float | None = None
    link: str | None = None
    cross_validated: bool = False
    without: tuple[str, ...] = ()
    alike: int = 0


LENET = Made("lenet5", link="http://localhost:5000/#/experiments/1/runs/0", cross_validated=True)
DROPOUT = Made("lenet5, dropout 0.4", accuracy=0.883, alike=1, cross_validated=True)
VGG = Made(
    "vgg16 (weights hed-bsds500)",
    "vgg16",
    accuracy=0.82,
    parameters=14_848_586,
    trainable=133_898,
    fit_seconds=12.3,
    feature_seconds=482.0,
    alike=2,
)
RESNET = Made(
    "resnet50 (random weights)",
    "resnet50",
    accuracy=0.71,
    parameters=24_114_826,
    trainable=527_114,
    fit_seconds=31.0,
    feature_seconds=450.0,
    alike=3,
)
FOUR = (LENET, DROPOUT, VGG, RESNET)
TEN = (
    *FOUR,
    *(
        Made(
            f"{model}, imagenet weights, dropout 0.{number}, input size {32 * number}",
            model,
            accuracy=0.84 + 0.005 * number,
            epochs=1 if number == 3 else 5 * number,
            validated=number != 4,
            parameters=10**number * 37,
            trainable=10**number,
            fit_seconds=4.0**number,
            feature_seconds=7.0**number,
            alike=10 + number,
        )
        for number, model in enumerate(
            ("vgg19", "resnet50v2", "mobilenetv2", "efficientnetb0", "densenet121", "vgg16"), 2
        )
    ),
)


def compared(models: Sequence[Made] = FOUR, rows: int = 400) -> Comparison:
    """The models on the same rows, the best first, with everything that a page tells of them."""
    compared_models = sorted((_contender(made, rows) for made in models), key=lambda c: -c.accuracy)
    duels = list(combinations(compared_models, 2))
    pairs = tuple(_pair(first, second, len(duels)) for first, second in duels)
    validated = [compared_model for compared_model in compared_models if compared_model.crossval]
    return Comparison(
        compared_models=tuple(compared_models),
        pairs=pairs,
        crossval_pairs=tuple(
            CrossvalPair(first.label, second.label, 0.0021, -0.0043, 0.0085, 0.41, 0.41)
            for first, second in combinations(validated, 2)
        ),
        left_out=(
            LeftOut("0123456789abcdef0123456789abcdef", "brave-fox-1", None, "still RUNNING"),
            LeftOut("f" * 32, "calm-owl-2", "https://tracking.example/#/runs/2", "other test rows"),
        ),
        findings=(
            Finding(
                "convergence",
                "Validation loss of lenet5 was lowest in epoch 9 of 10.",
                "lenet5: best_epoch 9, val_loss 0.3113",
            ),
            Finding(
                "overfitting",
                "Dropout narrows the gap between training and validation accuracy.",
                "lenet5: 2.1 points; lenet5, dropout 0.4: 0.4 points",
            ),
        ),
        class_names=CLASS_NAMES,
        data_digest="sha256:" + "5b4141f0afbad91e" * 4,
    )


def _contender(made: Made, rows: int) -> ComparedModel:
    test = _answers(made, rows)
    low, high = wilson_interval(int((test.predicted == test.labels).sum()), rows)
    metrics = {
        names.PARAMETERS_TOTAL: made.parameters,
        names.PARAMETERS_TRAINABLE: made.trainable,
        names.FIT_SECONDS: made.fit_seconds,
        names.PREDICT_MS_PER_IMAGE: 0.0412,
        names.MODEL_BYTES: made.parameters * 4 + 20_000,
    }
    tags = {names.TAG_MODEL: made.model}
    if made.feature_seconds is not None:
        metrics[names.FEATURE_SECONDS] = 0.1
        metrics[names.FEATURE_COST_SECONDS] = made.feature_seconds
    run = LoggedRun(
        run_id=f"{abs(made.alike):032x}",
        name=f"run of {made.label}",
        link=made.link,
        started_at=1_700_000_000.0,
        options=Train(model=made.model, epochs=made.epochs),
        tags=tags,
        metrics={name: value for name, value in metrics.items() if name not in made.without},
        history=_history(made),
        rows=np.arange(rows, dtype=np.int64),
        test=test,
    )
    crossval = LoggedCrossval(
        run_id="c" * 32,
        link=made.link,
        started_at=1_700_000_000.0,
        options=Crossval(),
        metrics={
            names.CV_VAL_ACCURACY_MEAN: made.accuracy + 0.004,
            names.CV_VAL_ACCURACY_STD: 0.0036,
        },
        held_out=(made.accuracy, made.accuracy + 0.008),
    )
    return ComparedModel(
        label=made.label,
        run=run,
        crossval=crossval if made.cross_validated else None,
        accuracy=scores.accuracy(test),
        low=low,
        high=high,
        macro_f1=scores.macro_f1(test),
        calibration_error=scores.expected_calibration_error(test),
        per_class=scores.per_class(test),
    )


def _answers(made: Made, rows: int) -> Evaluation:
    """Mistakes fall on a class's neighbors, on Shirt (6) most of all."""
    rng = np.random.default_rng(made.alike)
    labels = np.arange(rows, dtype=np.int64) % CLASSES
    hard = rng.random(rows) + (labels == 6) + 0.4 * (labels % 2 == 0)
    wrong = np.argsort(-hard)[: round((1 - made.accuracy) * rows)]
    answers = labels.copy()
    answers[wrong] = (labels[wrong] + rng.choice([2, 4, 6, 9], len(wrong))) % CLASSES
    confidences = rng.uniform(0.4, 0.999, rows)
    probabilities = np.repeat((1 - confidences[:, None]) / (CLASSES - 1), CLASSES, axis=1)
    probabilities[np.arange(rows), answers] = confidences
    return Evaluation(labels, probabilities.astype(np.float32))


def _history(made: Made) -> History:
    noise = np.random.default_rng(made.alike).normal(0, 0.004, (made.epochs, 2))
    rows = []
    for epoch, (one, other) in enumerate(noise, 1):
        gained = 0.12 / epoch
        row = {
            names.TRAIN_LOSS: 0.2 + 3 * gained + one,
            names.TRAIN_ACCURACY: made.accuracy + 0.03 - gained + one,
            names.EPOCH_SECONDS: made.fit_seconds / made.epochs,
        }
        if made.validated:
            row |= {
                names.VAL_LOSS: 0.28 + 2 * gained + 0.003 * epoch + other,
                names.VAL_ACCURACY: made.accuracy - 0.7 * gained + other,
            }
        rows.append(row)
    return History(tuple(rows))


def _pair(first: ComparedModel, second: ComparedModel, pairs: int) -> Pair:
    right = [c.run.test.predicted == c.run.test.labels for c in (first, second)]
    only_first, only_second = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    differing = only_first + only_second
    p = float(binomtest(only_first, differing).pvalue) if differing else 1.0
    half = 1.96 * np.sqrt(differing) / len(right[0])
    difference = first.accuracy - second.accuracy
    return Pair(
        first=first.label,
        second=second.label,
        only_first=only_first,
        only_second=only_second,
        difference=difference,
        low=difference - half,
        high=difference + half,
        test="McNemar, chi-squared with continuity correction",
        p=p,
        p_holm=min(1.0, p * pairs),
    )
