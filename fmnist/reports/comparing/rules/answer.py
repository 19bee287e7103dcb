"""The question itself: LeNet-5 or transfer learning, by how much, is it real, at what cost."""

from typing import Final

from fmnist import names
from fmnist.comparison import Contender, Finding
from fmnist.reports.comparing.rules.facts import Facts
from fmnist.reports.comparing.rules.words import (
    interval,
    listed,
    percent,
    points,
    tested,
    times,
)
from fmnist.reports.wording import SIGNIFICANT, p_is, seconds

# What seconds for features leave out, by what the run says of its cache.
_FROM_CACHE: Final = {
    "hit": ", all found in the cache",
    "resumed": ", partly found in the cache",
    "repaired": ", partly found in the cache",
}


def answer(facts: Facts) -> list[Finding]:
    """Who is ahead, by how much, and whether chance among the test images would do that."""
    first, second = facts.leaders
    pair = facts.pair(first, second)
    accuracies = (
        f"{_family(facts, first)} answers {percent(first.accuracy)} of the {facts.rows:,} test "
        f"images rightly, {_family(facts, second)} {percent(second.accuracy)}"
    )
    gap = f"{points(pair.difference)} ({interval(pair.low, pair.high)})"
    if pair.p_holm < SIGNIFICANT:
        told = f"{accuracies}: {first.label} is ahead by {gap}, more than chance among the test "
        told += f"images gives ({p_is(pair.p_holm)})."
    else:
        told = f"{accuracies}: they are {gap} apart, which chance among the test images "
        told += f"explains ({p_is(pair.p_holm)})."
    return [Finding("answer", told, tested(pair))]


def families(facts: Facts) -> list[Finding]:
    """That one side of the question is missing, where it is."""
    if facts.lenets and facts.transfers:
        return []
    there, missing = ("LeNet-5", "transfer learning")
    if facts.transfers:
        there, missing = missing, there
    return [
        Finding(
            "answer",
            f"All {len(facts.contenders)} contenders are of {there}: how it stands against "
            f"{missing} is not measured here.",
            f"models: {listed(sorted({each.run.options.model for each in facts.contenders}))}",
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
            f"fit_seconds and feature_seconds of {first.label} and {second.label}",
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


def _family(facts: Facts, contender: Contender) -> str:
    if not (facts.lenets and facts.transfers):
        return contender.label
    if contender is facts.lenets[0]:
        kind, members = "LeNet-5", facts.lenets
    else:
        kind, members = "transfer learning", facts.transfers
    if contender is facts.leaders[0]:
        kind = kind[0].upper() + kind[1:]  # it begins the sentence
    best = f", the best of {len(members)}" if len(members) > 1 else ""
    return f"{kind} ({contender.label}{best})"


def _accurate(facts: Facts, leader: Contender) -> str:
    first, second = facts.leaders
    if first.accuracy == second.accuracy:
        return "as accurate"
    more = "more" if leader is first else "less"
    return f"{points(first.accuracy - second.accuracy)} {more} accurate"


def _spent(contender: Contender) -> str:
    metrics = contender.run.metrics
    told = f"{seconds(contender.training_seconds)} to train"
    if names.FEATURE_SECONDS not in metrics:
        return told
    origin = _FROM_CACHE.get(contender.run.tags.get(names.TAG_FEATURE_CACHE, ""), "")
    return f"{told} ({seconds(metrics[names.FEATURE_SECONDS])} of them for features{origin})"


def _trained(contender: Contender) -> str:
    trained = contender.run.metrics.get(names.PARAMETERS_TRAINABLE)
    if trained is None or trained == contender.run.metrics[names.PARAMETERS_TOTAL]:
        return ""
    return f" ({trained:,.0f} of them trained)"
