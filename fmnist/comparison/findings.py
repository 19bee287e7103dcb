"""Findings: short statements about the results, with the numbers that they are based on."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from fmnist import names
from fmnist.comparison import phrases
from fmnist.comparison.models import ComparedModel
from fmnist.comparison.results import Comparison
from fmnist.plots.formatting import (
    format_count,
    format_p_equals,
    format_percent,
    format_points,
    format_points_range,
    format_seconds,
)

MAX_FINDINGS: Final = 8
# A model overfits if its training accuracy exceeds its test accuracy by at least this much.
OVERFITTING_GAP: Final = 0.02
# Number of classes and of options that are named.
_CLASSES_NAMED: Final = 2
_OPTIONS_DESCRIBED: Final = 3


class Finding(NamedTuple):
    """A statement about the results, and the numbers that it is based on."""

    topic: str
    sentence: str
    evidence: str


def find_all(comparison: Comparison) -> tuple[Finding, ...]:
    """At most `MAX_FINDINGS` findings, the most important ones first."""
    rules = (
        _describe_certainty,
        _describe_cost,
        _describe_options,
        _describe_overfitting,
        _describe_convergence,
        _describe_classes,
        _describe_crossvals,
        _describe_near_duplicates,
    )
    return tuple(finding for rule in rules for finding in rule(comparison))[:MAX_FINDINGS]


def _describe_certainty(comparison: Comparison) -> Iterator[Finding]:
    """How likely a new training of the better finalist wins, or how many seeds are missing."""
    first, second = comparison.finalists
    pair = comparison.pair(first, second)
    if pair.probability_first_better is None:
        single = phrases.join([m.label for m in (first, second) if len(m.runs) == 1])
        sentence = (
            f"With one seed of {single}, the result holds for these trained networks only; "
            "another seed may change it."
        )
    else:
        sentence = (
            f"A new training of {first.label} is more accurate than one of {second.label} with a "
            f"probability of {phrases.probability(pair.probability_first_better)}."
        )
        if not pair.is_significant and pair.seeds_needed:
            sentence += f" About {pair.seeds_needed:,} seeds would show a difference of this size."
        elif pair.detectable_difference is not None:
            detectable = phrases.points(pair.detectable_difference)
            sentence += f" With these seeds, differences above {detectable} are detectable."
    seeds = f"{first.label}: {_list_accuracies(first)}; {second.label}: {_list_accuracies(second)}"
    yield Finding("seeds", sentence, seeds)


def _describe_cost(comparison: Comparison) -> Iterator[Finding]:
    """Number of parameters and training time of the finalists."""
    models = comparison.finalists
    parts, evidence = [], []
    for costs, show, unit, comparative in (
        ([m.metric(names.PARAMETERS_TOTAL) for m in models], format_count, "parameters", "larger"),
        ([m.training_seconds for m in models], format_seconds, "of training", "slower"),
    ):
        one, other = costs
        if not one or not other or one == other:
            continue
        more, less = models if one > other else models[::-1]
        ratio = phrases.times(max(one, other), min(one, other))
        parts.append(f"{more.label} is {ratio} {comparative} than {less.label}")
        evidence += [f"{m.label} {show(c)} {unit}" for m, c in zip(models, costs, strict=True)]
    if parts:
        yield Finding("cost", f"{'; '.join(parts)}.", "; ".join(evidence))


def _describe_options(comparison: Comparison) -> list[Finding]:
    """The effect of an option on test accuracy, from models that differ only in this option."""
    models = {model.label: model for model in comparison.models}
    found = []
    for pair in comparison.pairs:
        one, other = models[pair.first], models[pair.second]
        before, after = one.runs[0].settings, other.runs[0].settings
        changed = [name for name in before if before[name] != after[name]]
        if len(changed) != 1 or changed[0] == "model":
            continue
        [option] = changed
        default = type(one.options)(model=one.options.model).fingerprint_fields()[option]
        if after[option] == default:
            one, other, before, after = other, one, after, before
        effect = comparison.pair(other, one)
        sentence = (
            f"{option.replace('_', ' ').capitalize()} {after[option]} instead of {before[option]} "
            f"changes the accuracy of {one.options.model} by {phrases.change(effect.difference)} "
            f"({phrases.interval(effect)}); {phrases.significance(effect)}."
        )
        evidence = f"{other.label} {_score(other)}, {one.label} {_score(one)}"
        found.append((abs(effect.difference), Finding("options", sentence, evidence)))
    found.sort(key=lambda each: -each[0])
    return [finding for _, finding in found[:_OPTIONS_DESCRIBED]]


def _describe_overfitting(comparison: Comparison) -> Iterator[Finding]:
    """Training accuracy minus test accuracy of the finalists, with its interval over seeds."""
    parts, evidence = [], []
    for model in comparison.finalists:
        if len(model.runs) == 1:
            continue
        trained = [run.at_epoch(names.TRAIN_ACCURACY) or 0.0 for run in model.runs]
        gap, low, high = estimate_gap(model, trained)
        if low >= OVERFITTING_GAP:
            verdict = "overfits"
        elif high < OVERFITTING_GAP:
            verdict = "does not overfit"
        else:
            verdict = "may or may not overfit"
        parts.append(
            f"{model.label} {verdict}: {phrases.change(gap)} (95 % interval "
            f"{format_points_range(low, high)})"
        )
        dropout = ", measured with dropout active" if model.options.dropout else ""
        evidence.append(
            f"{model.label}: training accuracy {format_percent(float(np.mean(trained)))}{dropout}, "
            f"test accuracy {_score(model)}"
        )
    if parts:
        sentence = f"Training accuracy minus test accuracy: {'; '.join(parts)}."
        threshold = f"Overfitting: at least {phrases.points(OVERFITTING_GAP)}."
        yield Finding("overfitting", sentence, f"{'; '.join(evidence)}. {threshold}")


def estimate_gap(model: ComparedModel, trained: Sequence[float]) -> tuple[float, float, float]:
    """Mean training accuracy minus expected test accuracy, and its 95 % interval.

    The half-widths of both intervals are added in quadrature: the interval of the test accuracy,
    and a t interval of the training accuracy over seeds.
    """
    from scipy.stats import t

    n, gap = len(trained), float(np.mean(trained)) - model.accuracy.mean
    half = float(t.ppf(0.975, n - 1) * np.std(trained, ddof=1) / np.sqrt(n))
    low = float(np.hypot(model.accuracy.high - model.accuracy.mean, half))
    high = float(np.hypot(model.accuracy.mean - model.accuracy.low, half))
    return gap, gap - low, gap + high


def _describe_convergence(comparison: Comparison) -> Iterator[Finding]:
    """In how many trainings of the finalists the validation loss was still falling at the end."""
    parts, evidence, hint = [], [], ""
    for model in comparison.finalists:
        histories = [run.history for run in model.runs]
        if any(h.epochs == 1 or names.VAL_LOSS not in h.metrics for h in histories):
            continue
        falling = sum(h.best_epoch == h.epochs for h in histories)
        hint = "; there, more epochs may help" if falling else hint
        parts.append(f"{falling} of {len(histories)} trainings of {model.label}")
        epochs = ", ".join(f"{h.best_epoch} of {h.epochs}" for h in histories)
        evidence.append(f"{model.label}: lowest validation loss in epoch {epochs}")
    if parts:
        sentence = (
            f"The validation loss was lowest in the last epoch in {phrases.join(parts)}{hint}."
        )
        yield Finding("convergence", sentence, "; ".join(evidence))


def _describe_classes(comparison: Comparison) -> Iterator[Finding]:
    """The classes that contribute most to the difference between the finalists.

    The contribution of a class is the difference of its correctly classified images, divided by
    the number of all test images. The contributions sum to the difference of the accuracies.
    """
    first, second = comparison.finalists
    labels = first.runs[0].test.labels
    gain = first.correct.mean(axis=0) - second.correct.mean(axis=0)
    contributions = {
        name: float(gain[labels == label].sum()) / len(labels)
        for label, name in enumerate(comparison.class_names)
        if (labels == label).any()
    }
    by_size = sorted(contributions, key=lambda name: -abs(contributions[name]))
    parts = []
    for model, sign in ((first, 1), (second, -1)):
        better = [name for name in by_size if sign * contributions[name] > 0]
        named = [f"{n} ({format_points(abs(contributions[n]))})" for n in better[:_CLASSES_NAMED]]
        which = f", mostly {phrases.join(named)}" if named else ""
        plural = "class" if len(better) == 1 else "classes"
        parts.append(f"{model.label} is better on {len(better)} {plural}{which}")
    evidence = ", ".join(f"{name} {format_points(value)}" for name, value in contributions.items())
    explanation = "Contributions to the difference in percentage points"
    yield Finding("classes", f"{'; '.join(parts)}.", f"{explanation}: {evidence}")


def _describe_crossvals(comparison: Comparison) -> Iterator[Finding]:
    """The difference of the finalists, or else of the best two models, on the same folds."""
    finalists = {model.label for model in comparison.finalists}
    pairs = comparison.crossval_pairs
    for pair in sorted(pairs, key=lambda pair: {pair.first, pair.second} != finalists)[:1]:
        yield Finding(
            "cross-validation",
            f"On the same folds, {pair.first} differs from {pair.second} by "
            f"{phrases.change(pair.difference)} ({phrases.interval(pair)}); "
            f"{phrases.significance(pair)}.",
            f"corrected resampled t-test on held-out rows, {format_p_equals(pair.p_value)}, after "
            f"Holm's correction {format_p_equals(pair.p_holm)}",
        )


def _describe_near_duplicates(comparison: Comparison) -> Iterator[Finding]:
    """Whether near-duplicates of training images could explain the difference."""
    if near := comparison.near_duplicates:
        rows = len(comparison.rows)
        difference = round(abs(comparison.pair(*comparison.finalists).difference) * rows)
        possible = "could" if near.rows >= difference else "cannot"
        sentence = (
            f"{near.rows:,} of the {rows:,} test images are near-duplicates of training images, "
            f"which alone {possible} explain the difference of {difference:,} images."
        )
        evidence = f"{names.NEAR_DUPLICATE_TEST_ROWS} of run {near.run_id}"
        yield Finding("near-duplicates", sentence, evidence)


def _list_accuracies(model: ComparedModel) -> str:
    return ", ".join(
        f"seed {run.options.seed} {format_percent(float(row.mean()))}"
        for run, row in zip(model.runs, model.correct, strict=True)
    )


def _score(model: ComparedModel) -> str:
    return format_percent(model.accuracy.mean)
