"""Findings about options: their effect where models differ in one of them, seeds, and the inputs
of models with a backbone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

import numpy as np

from fmnist import names
from fmnist.comparison import phrases
from fmnist.comparison.results import ComparedModel, Comparison, Finding
from fmnist.models.backbones import BACKBONES, Scaling
from fmnist.options import Train
from fmnist.options.recipe import REPORT
from fmnist.plots.formatting import format_percent, format_points_range

# The options whose effect is described, with the topic of the finding.
TOPICS: Final[Mapping[str, str]] = {
    "dropout": "dropout",
    "weights": "weights",
    "input_size": "input",
    "input_scaling": "input",
    "feature_layers": "features",
    "unfreeze_blocks": "fine-tuning",
    "drop_duplicates": "near-duplicates",
    **dict.fromkeys(asdict(REPORT), "techniques"),
}

_IMAGE_SIZE: Final = 28
_IMAGENET_SCALING: Final[dict[Scaling, str]] = {
    "caffe": "BGR minus the mean pixel",
    "tf": "-1..1",
    "torch": "standardized RGB",
    "none": "0..255",
}

BeforeAfter = tuple[ComparedModel, ComparedModel]


def describe_option_effects(comparison: Comparison) -> list[Finding]:
    """The effect of each option on test accuracy, from models that differ only in this option."""
    findings = []
    for option in TOPICS:
        for pairs in _pair_by_change(comparison.models, option):
            if len(pairs) == 1:
                findings.append(_describe_effect(comparison, option, *pairs[0]))
            else:
                findings.append(_describe_mean_effect(option, pairs))
    return findings


def describe_seeds(comparison: Comparison) -> list[Finding]:
    """Range of accuracies over seeds, compared with the difference between the finalists."""
    groups = [g for g in group_by_other_options(comparison.models, "seed") if len(g) > 1]
    if not groups:
        seeds = sorted({model.run.options.seed for model in comparison.models})
        sentence = (
            "Every configuration was trained with 1 seed: the tests account for the choice of test "
            "images, but not for the randomness of training."
        )
        return [Finding("seeds", sentence, f"seeds: {', '.join(map(str, seeds))}")]
    first, second = comparison.finalists
    difference = first.accuracy - second.accuracy
    findings = []
    for group in groups:
        accuracies = [model.accuracy for model in group]
        spread = max(accuracies) - min(accuracies)
        label = group[0].label.replace(f", seed {group[0].run.options.seed}", "")
        sentence = (
            f"Over {len(group)} seeds, the test accuracy of {label} ranges from "
            f"{format_percent(min(accuracies))} to {format_percent(max(accuracies))}. This range "
            f"of {phrases.points(spread)} is {'smaller' if spread < difference else 'not smaller'} "
            f"than the difference of {phrases.points(difference)} between {first.label} and "
            f"{second.label}."
        )
        evidence = "; ".join(f"{each.label} {format_percent(each.accuracy)}" for each in group)
        findings.append(Finding("seeds", sentence, evidence))
    return findings


def describe_transfer(comparison: Comparison) -> list[Finding]:
    """Weights, input size and scaling of the best model with a backbone."""
    if not comparison.pretrained:
        return []
    best = comparison.pretrained[0]
    options, weights = best.run.options, best.run.weights
    backbone = BACKBONES[options.model]
    if weights == "imagenet":
        initial = "starts from ImageNet weights"
    elif weights == "none":
        initial = "starts from random weights, so nothing is transferred from another data set"
    else:
        initial = f"starts from the weights {weights}, not from ImageNet's"
    used = sum(model.run.weights == "imagenet" for model in comparison.pretrained)
    sentence = (
        f"{best.label}, the best model with transfer learning, {initial} ({used} of "
        f"{len(comparison.pretrained)} such models use ImageNet weights). The {_IMAGE_SIZE} x "
        f"{_IMAGE_SIZE} images are resized to {options.input_size} x {options.input_size} pixels "
        f"(minimum of {options.model}: {backbone.minimum_side})"
    )
    if weights != "none":  # random weights have no preferred scaling
        scaling = "to 0..1" if options.input_scaling == "unit" else "accordingly"
        expected = _IMAGENET_SCALING[backbone.scaling]
        sentence += f" and scaled {scaling}; ImageNet weights expect {expected}"
    evidence = f"{names.TAG_WEIGHTS} {weights}, input_scaling {options.input_scaling}"
    return [Finding("transfer learning", f"{sentence}.", evidence)]


def differ_in_one_option(first: ComparedModel, second: ComparedModel) -> bool:
    """Whether the models differ in exactly one option, and it is one of `TOPICS`."""
    one, other = first.run.settings, second.run.settings
    differing = [option for option in one if one[option] != other[option]]
    return len(differing) == 1 and differing[0] in TOPICS


def group_by_other_options(
    models: Iterable[ComparedModel], option: str
) -> list[list[ComparedModel]]:
    """Groups of models that are equal in all options except this one."""
    groups: dict[tuple[str, ...], list[ComparedModel]] = {}
    for model in models:
        others = tuple(v for k, v in model.run.settings.items() if k != option)
        groups.setdefault(others, []).append(model)
    return list(groups.values())


def _pair_by_change(models: Iterable[ComparedModel], option: str) -> list[list[BeforeAfter]]:
    """Pairs that differ only in this option, grouped by model and by the two values.

    The first model of a pair has the default value, or is the most accurate one of its group.
    """
    default = Train().fingerprint_fields()[option]
    pairs: dict[tuple[str, str, str], list[BeforeAfter]] = {}
    for group in group_by_other_options(models, option):
        before = min(group, key=lambda model: model.run.settings[option] != default)
        one = before.run.settings[option]
        for after in group:
            other = after.run.settings[option]
            if other != one:
                key = (before.run.options.model, one, other)
                pairs.setdefault(key, []).append((before, after))
    return list(pairs.values())


def _describe_effect(
    comparison: Comparison, option: str, before: ComparedModel, after: ComparedModel
) -> Finding:
    pair = comparison.pair(after, before)
    subject = before.run.options.model if option == "weights" else before.label
    sentence = (
        f"{_describe_change(option, before, after)} changes the test accuracy of {subject} by "
        f"{phrases.change(pair.difference)} ({phrases.interval(pair)}); the difference "
        f"{phrases.significance(pair)}."
    )
    evidence = f"{before.label} {format_percent(before.accuracy)}, {after.label} "
    return Finding(TOPICS[option], sentence, evidence + format_percent(after.accuracy))


def _describe_mean_effect(option: str, pairs: Sequence[BeforeAfter]) -> Finding:
    """The mean effect over several pairs, for example over seeds, with a paired t interval."""
    from scipy.stats import t

    differences = [after.accuracy - before.accuracy for before, after in pairs]
    n, mean = len(differences), float(np.mean(differences))
    half = float(t.ppf(0.975, n - 1) * np.std(differences, ddof=1) / np.sqrt(n))
    negation = "" if abs(mean) > half else "not "
    sentence = (
        f"{_describe_change(option, *pairs[0])} changes the test accuracy of "
        f"{pairs[0][0].run.options.model} by {phrases.change(mean)} on average over {n} pairs of "
        f"runs that differ in no other option (95 % interval of the paired t-test "
        f"{format_points_range(mean - half, mean + half)}); the difference is {negation}"
        "statistically significant."
    )
    evidence = "; ".join(
        f"{before.label} {format_percent(before.accuracy)}, {after.label} "
        f"{format_percent(after.accuracy)}"
        for before, after in pairs
    )
    return Finding(TOPICS[option], sentence, evidence)


def _describe_change(option: str, before: ComparedModel, after: ComparedModel) -> str:
    one, other = before.run.settings[option], after.run.settings[option]
    return f"{option.replace('_', ' ').capitalize()} {other} instead of {one}"
