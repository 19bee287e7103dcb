"""How far the leaders' difference can be trusted beyond the one test."""

from fmnist import names
from fmnist.comparison.results import ComparedModel, Finding
from fmnist.comparison.rules_facts import Facts
from fmnist.comparison.rules_options import twins
from fmnist.comparison.rules_words import change, interval, percent, points
from fmnist.evaluation.statistics import SIGNIFICANCE_LEVEL
from fmnist.plots.formatting import format_p_equals


def cross_validated(facts: Facts) -> list[Finding]:
    """Pairs on the same folds, and the leaders beside the networks of their cross-validations.

    The pairs are the leaders, and those that differ in one option.
    """
    by_label = {compared_model.label: compared_model for compared_model in facts.compared_models}
    leaders = {leader.label for leader in facts.leaders}
    return [
        Finding(
            "cross-validation",
            f"On the same folds {pair.first} differs from {pair.second} by "
            f"{change(pair.difference)} on the held-out images ({interval(pair.low, pair.high)}): "
            + (
                "more than chance in the choice of rows gives"
                if pair.p_holm < SIGNIFICANCE_LEVEL
                else "chance in the choice of rows explains it"
            )
            + f" ({format_p_equals(pair.p_holm)}).",
            f"corrected resampled t-test, {format_p_equals(pair.p)}, corrected after Holm {format_p_equals(pair.p_holm)}",  # noqa: E501
        )
        for pair in facts.comparison.crossval_pairs
        if {pair.first, pair.second} == leaders
        or twins(by_label[pair.first], by_label[pair.second])
    ] + [finding for leader in facts.leaders for finding in _beside_its_folds(leader)]


def near_duplicates(facts: Facts) -> list[Finding]:
    """Whether test images that nearly equal a training image could make the difference."""
    if facts.near is None:
        return []
    first, second = facts.leaders
    pair = facts.pair(first, second)
    between = pair.only_first - pair.only_second
    told = (
        f"{facts.near.rows:,} of the {facts.rows:,} test images "
        f"({percent(facts.near.rows / facts.rows)}) nearly equal a training image; {first.label} "
        f"and {second.label} are {between:,} answers apart, so these images"
    )
    able = "could" if facts.near.rows >= between else "alone cannot"
    return [
        Finding(
            "near-duplicates",
            f"{told} {able} make the difference.",
            f"{names.NEAR_DUPLICATE_TEST_ROWS} of the run {facts.near.run_id}; "
            f"{between:,} = {pair.only_first:,} - {pair.only_second:,}",
        )
    ]


def _beside_its_folds(leader: ComparedModel) -> list[Finding]:
    """The single run among networks of the same options that were trained on other rows."""
    told = leader.crossval.metrics if leader.crossval else {}
    mean = told.get(names.CV_TEST_ACCURACY_MEAN)
    spread = told.get(names.CV_TEST_ACCURACY_STD)
    if leader.crossval is None or mean is None or spread is None:
        return []
    away = abs(leader.accuracy - mean)
    place = "within" if away <= 2 * spread else "outside"
    return [
        Finding(
            "cross-validation",
            f"{len(leader.crossval.held_out)} networks with the options of {leader.label}, trained "
            f"on other parts of the rows, answer {percent(mean)} ± {points(spread)} of the test "
            f"images rightly: the {percent(leader.accuracy)} of the single run lies {place} two "
            "standard deviations of that.",
            f"{names.CV_TEST_ACCURACY_MEAN} and {names.CV_TEST_ACCURACY_STD} of the run "
            f"{leader.crossval.run_id}",
        )
    ]
