"""Findings: short statements about the results, with the numbers that they are based on."""

from typing import Final

import numpy as np

from fmnist import names
from fmnist.comparison import phrases
from fmnist.comparison.findings_options import (
    describe_option_effects,
    describe_seeds,
    describe_transfer,
    differ_in_one_option,
)
from fmnist.comparison.results import ComparedModel, Comparison, Finding, McNemarPair, ModelPair
from fmnist.plots.formatting import format_p_equals, format_percent, format_points, format_seconds

# A model overfits if training accuracy exceeds validation accuracy by at least this much, and
# underfits if its training accuracy is this much below that of the best model.
ACCURACY_GAP: Final = 0.02
# Number of last epochs over which the slope of the loss is computed.
SLOPE_EPOCHS: Final = 3
# Number of classes that are named for each of the two models.
_CLASSES_NAMED: Final = 3


def find_all(comparison: Comparison) -> tuple[Finding, ...]:
    """All findings, the answer to the main question first."""
    rules = (
        describe_answer,
        describe_cost,
        describe_crossvals,
        describe_seeds,
        describe_generalization,
        describe_classes,
        describe_fit,
        describe_convergence,
        describe_transfer,
        describe_option_effects,
        describe_near_duplicates,
    )
    return tuple(finding for rule in rules for finding in rule(comparison))


def describe_answer(comparison: Comparison) -> list[Finding]:
    """Accuracy of the finalists, and whether the difference is significant."""
    first, second = comparison.finalists
    pair = comparison.pair(first, second)
    sentence = (
        f"{first.label} classifies {format_percent(first.accuracy)} of the "
        f"{comparison.test_rows:,} test images correctly, {second.label} "
        f"{format_percent(second.accuracy)}. The difference of {phrases.points(pair.difference)} "
        f"({phrases.interval(pair)}) {phrases.significance(pair)}."
    )
    scratch, pretrained = len(comparison.from_scratch), len(comparison.pretrained)
    if not pretrained:
        sentence += f" All {scratch} models were trained from scratch, without transfer learning."
    elif not scratch:
        sentence += (
            f" All {pretrained} models use transfer learning; none was trained from scratch."
        )
    elif scratch + pretrained > 2:
        sentence += (
            f" They are the best of {scratch} trained from scratch and of {pretrained} with "
            "transfer learning."
        )
    return [Finding("answer", sentence, _describe_test(pair))]


def describe_cost(comparison: Comparison) -> list[Finding]:
    """Number of parameters and training time of the finalists."""
    models = comparison.finalists
    sizes = [model.metric(names.PARAMETERS_TOTAL) or 0.0 for model in models]
    durations = [model.training_seconds or 0.0 for model in models]
    findings = []
    if all(sizes):
        details = [
            f"{model.label} has {size:,.0f} parameters{_describe_trainable(model)}"
            for model, size in zip(models, sizes, strict=True)
        ]
        ratio = "" if sizes[0] == sizes[1] else f": {phrases.times(max(sizes), min(sizes))} as many"
        sentence = f"{details[0]}, {details[1]}{ratio}."
        findings.append(Finding("cost", sentence, names.PARAMETERS_TOTAL))
    if all(durations):
        details = [
            f"{model.label} took {format_seconds(seconds)} to train{_describe_features(model)}"
            for model, seconds in zip(models, durations, strict=True)
        ]
        sentence = (
            f"{details[0]}, {details[1]}: {phrases.times(max(durations), min(durations))} as long."
        )
        evidence = f"{names.FIT_SECONDS}, {names.FEATURE_COST_SECONDS}"
        findings.append(Finding("cost", sentence, evidence))
    return findings


def describe_crossvals(comparison: Comparison) -> list[Finding]:
    """Cross-validations of the finalists and of models that differ in one option."""
    models = {model.label: model for model in comparison.models}
    finalists = {model.label for model in comparison.finalists}
    findings = [
        Finding(
            "cross-validation",
            f"On the same folds, the mean accuracy of {pair.first} on held-out rows differs from "
            f"that of {pair.second} by {phrases.change(pair.difference)} "
            f"({phrases.interval(pair)}); the difference {phrases.significance(pair)}.",
            f"corrected resampled t-test, {_describe_p(pair)}",
        )
        for pair in comparison.crossval_pairs
        if {pair.first, pair.second} == finalists
        or differ_in_one_option(models[pair.first], models[pair.second])
    ]
    for model in comparison.finalists:
        if model.crossval is None:
            continue
        metrics = model.crossval.record.metrics
        mean = metrics.get(names.CV_TEST_ACCURACY_MEAN)
        std = metrics.get(names.CV_TEST_ACCURACY_STD)
        if mean is None or std is None:
            continue
        position = "within" if abs(model.accuracy - mean) <= 2 * std else "outside"
        sentence = (
            f"The {len(model.crossval.fold_accuracies)} fold models with the options of "
            f"{model.label} have a test accuracy of {format_percent(mean)} ± "
            f"{format_percent(std)}. The {format_percent(model.accuracy)} of the single run is "
            f"{position} two standard deviations of the mean."
        )
        evidence = f"{names.CV_TEST_ACCURACY_MEAN} of run {model.crossval.record.run_id}"
        findings.append(Finding("cross-validation", sentence, evidence))
    return findings


def describe_generalization(comparison: Comparison) -> list[Finding]:
    """Whether the finalists already differ on the training rows, or only on the test rows."""
    first, second = comparison.finalists
    difference = first.accuracy - second.accuracy
    if difference == 0:
        return []
    fits = [_get_training_accuracy(model) for model in (first, second)]
    is_fit = fits[0] - fits[1] >= difference / 2
    where = "is already present on the training rows" if is_fit else "arises on unseen images"
    sentence = (
        f"Most of the difference of {phrases.points(difference)} {where}: training and test "
        f"accuracy are {format_percent(fits[0])} and {format_percent(first.accuracy)} for "
        f"{first.label}, {format_percent(fits[1])} and {format_percent(second.accuracy)} for "
        f"{second.label}."
        f"{_note_dropout(first, second)}"
    )
    evidence = f"{names.TRAIN_ACCURACY} of epochs {_get_epoch(first)} and {_get_epoch(second)}"
    return [Finding("generalization", sentence, f"{evidence}; {names.TEST_ACCURACY}")]


def describe_fit(comparison: Comparison) -> list[Finding]:
    """Overfitting or underfitting of the finalists, where validation accuracy was measured."""
    best_fit = max(_get_training_accuracy(model) for model in comparison.models)
    findings = []
    for model in comparison.finalists:
        epoch, trained = _get_epoch(model), _get_training_accuracy(model)
        validated = model.run.history.rows[epoch - 1].get(names.VAL_ACCURACY)
        if validated is None:
            continue
        if trained - validated >= ACCURACY_GAP:
            verdict = "overfits"
        elif best_fit - trained >= ACCURACY_GAP:
            verdict = f"underfits (the best model reaches {format_percent(best_fit)} in training)"
        else:
            verdict = "neither overfits nor underfits"
        sentence = (
            f"{model.label} {verdict}: in epoch {epoch}, its training accuracy is "
            f"{format_percent(trained)} and its validation accuracy {format_percent(validated)}, "
            f"a gap of {phrases.change(trained - validated)}.{_note_dropout(model)}"
        )
        evidence = f"{names.TRAIN_ACCURACY} and {names.VAL_ACCURACY} of {model.label}"
        findings.append(Finding("fit", sentence, evidence))
    return findings


def describe_convergence(comparison: Comparison) -> list[Finding]:
    """Whether the loss of the finalists was still falling in the last epoch."""
    findings = []
    for model in comparison.finalists:
        history = model.run.history
        if history.epochs == 1:
            continue
        metric = names.VAL_LOSS if names.VAL_LOSS in history.metrics else names.TRAIN_LOSS
        losses = history.column(metric)
        last = losses[-SLOPE_EPOCHS:]
        slope = float(np.polyfit(range(len(last)), last, 1)[0])
        best = int(np.argmin(losses)) + 1
        has_converged = best < history.epochs
        sentence = (
            f"{model.label} {'converged' if has_converged else 'had not converged'}: its "
            f"{'validation' if metric == names.VAL_LOSS else 'training'} loss was lowest in epoch "
            f"{best} of {history.epochs} ({losses[best - 1]:.4f}) and changed by {slope:+.4f} per "
            f"epoch over the last {len(last)} epochs"
            f"{'' if has_converged else ', so more epochs may improve it'}."
        )
        findings.append(Finding("convergence", sentence, f"{metric} of {model.label} by epoch"))
    return findings


def describe_classes(comparison: Comparison) -> list[Finding]:
    """The classes that contribute most to the difference between the finalists.

    The contribution of a class is the difference of its correctly classified images, divided by
    the number of all test images. The contributions sum to the difference of the accuracies.
    """
    first, second = comparison.finalists
    contributions = {
        name: (one.recall * one.support - other.recall * other.support) / comparison.test_rows
        for name, one, other in zip(
            comparison.class_names, first.per_class, second.per_class, strict=True
        )
        if one.support
    }
    by_size = sorted(contributions, key=lambda name: -abs(contributions[name]))
    parts = []
    for model, sign in ((first, 1), (second, -1)):
        better = [name for name in by_size if sign * contributions[name] > 0]
        named = [
            f"{name} ({phrases.points(contributions[name])})" for name in better[:_CLASSES_NAMED]
        ]
        which = f", most clearly on {phrases.join(named)}" if named else ""
        parts.append(f"{model.label} is better on {len(better)} classes{which}")
    evidence = ", ".join(f"{name} {format_points(value)}" for name, value in contributions.items())
    return [Finding("classes", f"{'; '.join(parts)}.", f"percentage points: {evidence}")]


def describe_near_duplicates(comparison: Comparison) -> list[Finding]:
    """Whether near-duplicates of training images could explain the difference."""
    near = comparison.near_duplicates
    if near is None:
        return []
    pair = comparison.pair(*comparison.finalists)
    difference = pair.only_first - pair.only_second
    possible = "could" if near.rows >= difference else "cannot"
    sentence = (
        f"{near.rows:,} of the {comparison.test_rows:,} test images "
        f"({format_percent(near.rows / comparison.test_rows)}) are near-duplicates of training "
        f"images. {pair.first} classifies {difference:,} more images correctly than {pair.second}, "
        f"so near-duplicates alone {possible} explain the difference."
    )
    evidence = f"{names.NEAR_DUPLICATE_TEST_ROWS} of run {near.run_id}"
    return [Finding("near-duplicates", sentence, evidence)]


def _describe_test(pair: McNemarPair) -> str:
    return (
        f"{pair.only_first:,} test images correct only with {pair.first}, {pair.only_second:,} "
        f"only with {pair.second}; {pair.test}, {_describe_p(pair)}"
    )


def _describe_p(pair: ModelPair) -> str:
    return f"{format_p_equals(pair.p)}, after Holm's correction {format_p_equals(pair.p_holm)}"


def _describe_trainable(model: ComparedModel) -> str:
    trainable = model.metric(names.PARAMETERS_TRAINABLE)
    if trainable is None or trainable == model.metric(names.PARAMETERS_TOTAL):
        return ""
    return f" ({trainable:,.0f} trainable)"


def _describe_features(model: ComparedModel) -> str:
    seconds = model.feature_seconds
    return "" if seconds is None else f" (features: {format_seconds(seconds)})"


def _get_epoch(model: ComparedModel) -> int:
    """The epoch whose weights were evaluated, counted from 1."""
    history = model.run.history
    return history.best_epoch if model.run.options.keep == "best" else history.epochs


def _get_training_accuracy(model: ComparedModel) -> float:
    """Training accuracy of the epoch whose weights were evaluated."""
    return model.run.history.rows[_get_epoch(model) - 1][names.TRAIN_ACCURACY]


def _note_dropout(*models: ComparedModel) -> str:
    labels = [model.label for model in models if model.run.options.dropout > 0]
    if not labels:
        return ""
    return f" (Dropout lowers the training accuracy of {phrases.join(labels)}.)"
