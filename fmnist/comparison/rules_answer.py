"""The question itself: LeNet-5 or transfer learning, by how much, is it real, at what cost."""

from collections.abc import Sequence

from fmnist import names
from fmnist.comparison.labels import LENET
from fmnist.comparison.results import ComparedModel, Finding
from fmnist.comparison.rules_facts import Facts
from fmnist.comparison.rules_words import interval, listed, percent, points, tested, times
from fmnist.evaluation.statistics import SIGNIFICANCE_LEVEL
from fmnist.plots.formatting import format_p_equals, format_seconds


def answer(facts: Facts) -> list[Finding]:
    """Who is ahead, by how much, and whether chance among the test images would do that."""
    first, second = facts.leaders
    pair = facts.pair(first, second)
    accuracies = (
        f"{_family(facts, first)} answers {percent(first.accuracy)} of the {facts.rows:,} test "
        f"images rightly, {_family(facts, second)} {percent(second.accuracy)}"
    )
    gap = f"{points(pair.difference)} ({interval(pair.low, pair.high)})"
    if pair.p_holm < SIGNIFICANCE_LEVEL:
        told = f"{accuracies}: {first.label} is ahead by {gap}, more than chance among the test "
        told += f"images gives ({format_p_equals(pair.p_holm)})."
    else:
        told = f"{accuracies}: they are {gap} apart, which chance among the test images "
        told += f"explains ({format_p_equals(pair.p_holm)})."
    return [Finding("answer", told, tested(pair))]


def families(facts: Facts) -> list[Finding]:
    """That one side of the question is missing, where it is."""
    if facts.from_scratch and facts.transfers:
        return []
    there, missing = (_scratch(facts.from_scratch), "transfer learning")
    if facts.transfers:
        there, missing = missing, there
    return [
        Finding(
            "answer",
            f"All {len(facts.compared_models)} models are of {there}: how it stands against "
            f"{missing} is not measured here.",
            f"models: {listed(sorted({each.run.options.model for each in facts.compared_models}))}",
        )
    ]


def cost(facts: Facts) -> list[Finding]:
    """Seconds to train, and which of the leaders took more of them."""
    first, second = facts.leaders
    one, other = first.training_seconds, second.training_seconds
    if not one or not other:
        return []
    ratio = (
        f"{first.label} costs {times(one, other)} as much"
        if one >= other
        else f"{second.label} costs {times(other, one)} as much"
    )
    return [
        Finding(
            "cost",
            f"{first.label} took {_spent(first)}, {second.label} {_spent(second)}: {ratio}.",
            f"fit_seconds and feature_cost_seconds of {first.label} and {second.label}",
        )
    ]


def capacity(facts: Facts) -> list[Finding]:
    """Whether the larger of the leaders is the more accurate."""
    first, second = facts.leaders
    sizes = [each.run.metrics.get(names.PARAMETERS_TOTAL) for each in (first, second)]
    one, other = sizes
    if not one or not other:
        return []
    if one == other:
        told = f"Both have {one:,.0f} parameters: size does not tell them apart"
    else:
        larger, smaller = (first, second) if one > other else (second, first)
        told = (
            f"{larger.label} has {max(one, other):,.0f} parameters{_trained(larger)}, "
            f"{smaller.label} {min(one, other):,.0f}{_trained(smaller)}: "
            f"{times(max(one, other), min(one, other))} as many, and is {_accurate(facts, larger)}"
        )
    return [
        Finding(
            "capacity",
            f"{told}.",
            f"parameters_total, parameters_trainable; test_accuracy {percent(first.accuracy)} and "
            f"{percent(second.accuracy)}",
        )
    ]


def _scratch(members: Sequence[ComparedModel]) -> str:
    """What networks that are no backbones are called together."""
    if all(each.run.options.model == LENET for each in members):
        return "LeNet-5"
    return "training from scratch"


def _family(facts: Facts, compared_model: ComparedModel) -> str:
    if not (facts.from_scratch and facts.transfers):
        return compared_model.label
    if compared_model is facts.from_scratch[0]:
        kind, members = _scratch(facts.from_scratch), facts.from_scratch
    else:
        kind, members = "transfer learning", facts.transfers
    if compared_model is facts.leaders[0]:
        kind = kind[0].upper() + kind[1:]  # it begins the sentence
    best = f", the best of {len(members)}" if len(members) > 1 else ""
    return f"{kind} ({compared_model.label}{best})"


def _accurate(facts: Facts, leader: ComparedModel) -> str:
    first, second = facts.leaders
    if first.accuracy == second.accuracy:
        return "as accurate"
    more = "more" if leader is first else "less"
    return f"{points(first.accuracy - second.accuracy)} {more} accurate"


def _spent(compared_model: ComparedModel) -> str:
    told = f"{format_seconds(compared_model.training_seconds)} to train"
    if compared_model.feature_seconds is None:
        return told
    return f"{told} ({format_seconds(compared_model.feature_seconds)} of them for features)"


def _trained(compared_model: ComparedModel) -> str:
    trained = compared_model.run.metrics.get(names.PARAMETERS_TRAINABLE)
    if trained is None or trained == compared_model.run.metrics[names.PARAMETERS_TOTAL]:
        return ""
    return f" ({trained:,.0f} of them trained)"
