"""Compute a comparison from the loaded runs: labels, mean scores and pairwise tests."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import combinations
from typing import TypeVar

import numpy as np

from fmnist import names
from fmnist.comparison.labels import create_labels, find_shared_settings
from fmnist.comparison.load import LoadedModel, LoadedRuns
from fmnist.comparison.results import (
    AccuracyPair,
    ComparedModel,
    Comparison,
    CrossvalRun,
    ModelPair,
)
from fmnist.evaluation import crossval_statistics, metrics, statistics

Pair = TypeVar("Pair", bound=ModelPair)


def compare_runs(loaded: LoadedRuns, seed: int = 0) -> Comparison:
    """Compare the models. They are ranked by their mean validation accuracy.

    Args:
        seed: for the bootstrap intervals of models with one seed.
    """
    runs = [model.runs[0] for model in loaded.models]
    models = [
        _score(label, model)
        for label, model in zip(create_labels(runs), loaded.models, strict=True)
    ]
    models.sort(key=lambda model: (-(model.validation_accuracy or 0.0), model.label))
    return Comparison(
        models=tuple(models),
        shared=find_shared_settings(runs),
        pairs=_compare_pairs(models, seed),
        crossval_pairs=_compare_crossvals(models),
        excluded=loaded.excluded,
        near_duplicates=loaded.near_duplicates,
        class_names=loaded.class_names,
        data_digest=loaded.data_digest,
    )


def _score(label: str, model: LoadedModel) -> ComparedModel:
    tests = [run.test for run in model.runs]
    validated = [run.at_epoch(names.VAL_ACCURACY) for run in model.runs]
    known = [accuracy for accuracy in validated if accuracy is not None]
    correct = np.stack([test.predicted == test.labels for test in tests])
    return ComparedModel(
        label=label,
        runs=model.runs,
        crossval=model.crossval,
        accuracy=statistics.expected_accuracy(correct),
        validation_accuracy=float(np.mean(known)) if len(known) == len(validated) else None,
        macro_f1=float(np.mean([metrics.macro_f1(test) for test in tests])),
        calibration_error=float(np.mean([metrics.expected_calibration_error(t) for t in tests])),
        f1_by_class=tuple(
            float(np.mean([score.f1 for score in scores])) if scores[0].support else None
            for scores in zip(*map(metrics.per_class, tests), strict=True)
        ),
    )


def _compare_pairs(models: Sequence[ComparedModel], seed: int) -> tuple[AccuracyPair, ...]:
    """The difference of every two models, the one with the higher rank first."""
    pairs = []
    for first, second in combinations(models, 2):
        result = statistics.compare_procedures(first.correct, second.correct, seed)
        values = asdict(result)
        probability = values.pop("probability_a_better")
        pairs.append(
            AccuracyPair(
                first=first.label,
                second=second.label,
                p_holm=result.p_value,
                probability_first_better=probability,
                **values,
            )
        )
    return _correct(pairs)


def _compare_crossvals(models: Sequence[ComparedModel]) -> tuple[ModelPair, ...]:
    """The corrected resampled t-test of every two models with cross-validations on equal folds."""
    pairs = []
    for first, second in combinations(models, 2):
        one, other = first.crossval, second.crossval
        if one and other and _have_same_folds(one, other):
            result = crossval_statistics.corrected_resampled_t(
                one.fold_accuracies, other.fold_accuracies, one.options.folds
            )
            pairs.append(ModelPair(first.label, second.label, *result, p_holm=result.p))
    return _correct(pairs)


def _correct(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Apply Holm's correction for the number of pairs."""
    corrected = statistics.holm([pair.p_value for pair in pairs])
    return tuple(replace(pair, p_holm=p) for pair, p in zip(pairs, corrected, strict=True))


def _have_same_folds(one: CrossvalRun, other: CrossvalRun) -> bool:
    """Whether the folds are equal. They follow from these options and the data."""
    return one.record.run_id != other.record.run_id and all(
        getattr(one.options, option) == getattr(other.options, option)
        for option in ("split_seed", "folds", "repeats", "train_size", "drop_duplicates")
    )
