"""Comparisons of runs that exist only in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from fmnist import names
from fmnist.comparison.findings import find_all
from fmnist.comparison.models import CrossvalRun, TrainRun
from fmnist.comparison.results import Comparison, ExcludedRun, NearDuplicateCount, rank_models
from fmnist.options import Crossval, Train
from fmnist.results.runs import RunRecord
from fmnist.results.training import CLASSES, Evaluation, History
from tests.helpers.logged_runs import CLASS_NAMES, history, make_evaluation

_numbers = count(1)
_METRICS = {names.column_name(text): text for text in vars(names).values() if isinstance(text, str)}

COSTS = {
    names.FIT_SECONDS: 23.456,
    names.PARAMETERS_TOTAL: 44_426,
    names.PARAMETERS_TRAINABLE: 44_426,
    names.PREDICT_MS_PER_IMAGE: 0.0412,
    names.MODEL_BYTES: 197_704,
}
BACKBONE_COSTS = COSTS | {
    names.FIT_SECONDS: 12.3,
    names.FEATURE_SECONDS: 0.1,
    names.FEATURE_COST_SECONDS: 482.0,
    names.PARAMETERS_TOTAL: 14_848_586,
    names.PARAMETERS_TRAINABLE: 133_898,
}


def record(kind: str = "train", link: str | None = None, **fields: object) -> RunRecord:
    """A finished run with a new id; later runs are newer."""
    number = next(_numbers)
    defaults = {"tags": {}, "metrics": {}, "parameters": {}, "model_id": None}
    return RunRecord(
        run_id=f"{number:032x}",
        name=f"run {number}",
        kind=kind,
        link=link,
        status="FINISHED",
        is_finished=True,
        started_at=float(number),
        **(defaults | fields),  # type: ignore[arg-type]
    )


def run(
    options: Train,
    test: int | Evaluation = 150,
    *,
    past: History | None = None,
    tags: Mapping[str, str] | None = None,
    link: str | None = None,
    class_names: tuple[str, ...] = CLASS_NAMES,
    **metrics: float,
) -> TrainRun:
    """A run with this number of 200 test rows classified correctly, or with these predictions."""
    test = make_evaluation(test) if isinstance(test, int) else test
    weights = {} if options.model == "lenet5" else {names.TAG_WEIGHTS: options.weights}
    stored = record(link=link, tags={**weights, **(tags or {})}, metrics=_with_sections(metrics))
    rows = np.arange(len(test.labels))
    return TrainRun(stored, options, past or history(), rows, test, class_names)


def epoch(accuracy: float) -> History:
    """A fit of one epoch with this validation accuracy."""
    return history((0.9,), (accuracy,), (0.5,))


def crossval(options: Crossval, *accuracies: float, **metrics: float) -> CrossvalRun:
    return CrossvalRun(record("crossval", metrics=metrics), options, accuracies)


def _with_sections(metrics: Mapping[str, float]) -> dict[str, float]:
    return {_METRICS[names.column_name(name)]: value for name, value in metrics.items()}


def compare(
    *runs: TrainRun,
    crossvals: Mapping[str, CrossvalRun] | None = None,
    near_duplicates: int | None = None,
    excluded: tuple[ExcludedRun, ...] = (),
) -> Comparison:
    """Compare the runs; those that differ only in their seed are replicates.

    Args:
        crossvals: by the id of a run.
    """
    groups: dict[tuple[str, ...], list[TrainRun]] = {}
    for each in runs:
        groups.setdefault(tuple(each.settings.values()), []).append(each)
    by_run = crossvals or {}
    return Comparison(
        models=rank_models(
            [tuple(group) for group in groups.values()],
            [by_run.get(group[0].record.run_id) for group in groups.values()],
        ),
        excluded=excluded,
        near_duplicates=(
            None if near_duplicates is None else NearDuplicateCount(near_duplicates, "e" * 32)
        ),
    )


def sentences(comparison: Comparison, topic: str) -> str:
    """The sentences of a topic, one per line, with hyphens instead of minus signs."""
    lines = [each.sentence for each in find_all(comparison) if each.topic == topic]
    return "\n".join(lines).replace("\N{MINUS SIGN}", "-")


def with_labels(comparison: Comparison, labels: Sequence[str]) -> Comparison:
    """The comparison with other labels, for example long ones."""
    models = zip(comparison.models, labels, strict=True)
    return replace(comparison, models=tuple(replace(m, label=label) for m, label in models))


def compare_four(rows: int = 400, seeds: int = 3, **fields: object) -> Comparison:
    """Two LeNets with cross-validations and two backbones, with typical mistakes.

    Args:
        fields: of all runs.
    """
    models = (
        (Train(), 0.88, 10, COSTS),
        (Train(dropout=0.4), 0.883, 7, COSTS),
        (Train(model="vgg16", weights="hed-bsds500"), 0.90, 10, BACKBONE_COSTS),
        (Train(model="resnet50", weights="none"), 0.71, 10, BACKBONE_COSTS),
    )
    runs = [
        run(
            options.model_copy(update={"seed": seed}),
            predictions(accuracy + 0.005 * seed, rows, 10 * number + seed),
            past=fit(epochs, 10 * number + seed, level=accuracy),
            **costs,
            **fields,  # type: ignore[arg-type]
        )
        for number, (options, accuracy, epochs, costs) in enumerate(models)
        for seed in range(seeds)
    ]
    folds = {names.CV_VAL_ACCURACY_MEAN: 0.884, names.CV_VAL_ACCURACY_STD: 0.0036}
    return compare(
        *runs,
        crossvals={
            runs[0].record.run_id: crossval(Crossval(folds=3), 0.88, 0.888, 0.884, **folds),
            runs[seeds].record.run_id: crossval(
                Crossval(folds=3, dropout=0.4), 0.884, 0.889, 0.887, **folds
            ),
        },
        excluded=(
            ExcludedRun("0" * 32, "brave-fox-1", None, "status RUNNING"),
            ExcludedRun("f" * 32, "calm-owl-2", "https://tracking.example/2", "other test rows"),
        ),
    )


def compare_many(number: int = 10, rows: int = 400, long_labels: bool = False) -> Comparison:
    """Models with very different costs, one fitted for one epoch and one without validation."""
    runs = [
        run(
            Train(dropout=index / 20),
            predictions(0.84 + 0.01 * (index % 5), rows, index),
            past=fit(1 if index == 3 else 3 + index, index, validated=index != 4),
            **COSTS
            | {
                names.PARAMETERS_TOTAL: 10.0 ** (1 + index % 7),
                names.FIT_SECONDS: 3.0 ** (index % 9),
            },
        )
        for index in range(number)
    ]
    comparison = compare(*runs)
    if not long_labels:
        return comparison
    labels = [f"{n} MODEL WITH $WORDS$ THAT NEVER END, " * 3 for n in range(number)]
    return with_labels(comparison, labels)


def predictions(accuracy: float, rows: int, seed: int = 0) -> Evaluation:
    """Predictions whose errors are most frequent for class 6, as for Fashion-MNIST's shirts."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows, dtype=np.int64) % CLASSES
    difficulty = rng.random(rows) + (labels == 6) + 0.4 * (labels % 2 == 0)
    wrong = np.argsort(-difficulty)[: round((1 - accuracy) * rows)]
    predicted = labels.copy()
    predicted[wrong] = (labels[wrong] + rng.choice([2, 4, 6, 9], len(wrong))) % CLASSES
    confidences = rng.uniform(0.4, 0.999, rows)
    probabilities = np.repeat((1 - confidences[:, None]) / (CLASSES - 1), CLASSES, axis=1)
    probabilities[np.arange(rows), predicted] = confidences
    return Evaluation(labels, probabilities.astype(np.float32))


def fit(epochs: int, seed: int = 0, validated: bool = True, level: float = 0.88) -> History:
    """A history of a typical fit that approaches this validation accuracy."""
    rng = np.random.default_rng(seed)
    rows = []
    for epoch in range(1, epochs + 1):
        noise = rng.normal(0, 0.004, 2)
        row = {
            names.TRAIN_LOSS: 0.2 + 0.36 / epoch + noise[0],
            names.TRAIN_ACCURACY: level + 0.04 - 0.12 / epoch + noise[0],
            names.EPOCH_SECONDS: 2.0,
        }
        if validated:
            row[names.VAL_LOSS] = 0.28 + 0.24 / epoch + 0.003 * epoch + noise[1]
            row[names.VAL_ACCURACY] = level - 0.08 / epoch + noise[1]
        rows.append(row)
    return History(tuple(rows))
