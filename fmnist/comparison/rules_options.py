"""What one option does, where models differ in it alone; and how far the seed moves them."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Final

import numpy as np

from fmnist.comparison.labels import spelled, weights
from fmnist.comparison.results import ComparedModel, Finding
from fmnist.comparison.rules_facts import Facts
from fmnist.comparison.rules_words import change, interval, percent, points, tested
from fmnist.evaluation.statistics import SIGNIFICANCE_LEVEL
from fmnist.options import Train
from fmnist.options.recipe import REPORT
from fmnist.plots.formatting import format_p_equals

# From option to what a sentence about it is filed under.
OPTIONS: Final[Mapping[str, str]] = {
    "dropout": "dropout",
    "weights": "weights",
    "input_size": "input",
    "input_scaling": "input",
    "feature_layers": "features",
    "unfreeze_blocks": "fine-tuning",
    "drop_duplicates": "near-duplicates",
    **dict.fromkeys(asdict(REPORT), "techniques"),
}

Twins = list[tuple[ComparedModel, ComparedModel]]


def effects(facts: Facts) -> list[Finding]:
    """What each option does to accuracy, where runs exist that differ in nothing else."""
    return [
        _one(facts, option, *pairs[0]) if len(pairs) == 1 else _several(option, pairs)
        for option in OPTIONS
        for pairs in _by_change(facts, option)
    ]


def seeds(facts: Facts) -> list[Finding]:
    """How far accuracy moves with the seed alone, beside what lies between the leaders."""
    groups = [group for group in _alike(facts.compared_models, "seed") if len(group) > 1]
    if not groups:
        return [
            Finding(
                "seeds",
                "Every model was trained with 1 seed, so the tests here tell chance among the "
                "test images, not chance in training.",
                "seeds: "
                + ", ".join(sorted({str(c.run.options.seed) for c in facts.compared_models})),
            )
        ]
    return [_spread(group, *facts.leaders) for group in groups]


def has_twin(facts: Facts, option: str, compared_model: ComparedModel) -> bool:
    """Whether another model differs from this one in the option alone."""
    return any(compared_model in pair for pairs in _by_change(facts, option) for pair in pairs)


def twins(first: ComparedModel, second: ComparedModel) -> bool:
    """Whether the two differ in one of the options alone."""
    one, other = _settings(first), _settings(second)
    differing = [option for option in one if one[option] != other[option]]
    return len(differing) == 1 and differing[0] in OPTIONS


def _one(facts: Facts, option: str, before: ComparedModel, after: ComparedModel) -> Finding:
    pair = facts.pair(after, before)
    real = pair.p_holm < SIGNIFICANCE_LEVEL
    verdict = "more than chance among the test images gives" if real else "which may be chance"
    return Finding(
        OPTIONS[option],
        f"{_changed(option, before, after)} changes accuracy by {change(pair.difference)} "
        f"({interval(pair.low, pair.high)}), {verdict} ({format_p_equals(pair.p_holm)}).",
        tested(pair),
    )


def _several(option: str, pairs: Twins) -> Finding:
    """The same change under several seeds or other options: the pairs vary as training does."""
    from scipy.stats import t

    differences = [after.accuracy - before.accuracy for before, after in pairs]
    k, mean = len(differences), float(np.mean(differences))
    half = float(t.ppf(0.975, k - 1) * np.std(differences, ddof=1) / np.sqrt(k))
    real = abs(mean) > half
    verdict = "more than these pairs differ by chance" if real else "which may be chance"
    return Finding(
        OPTIONS[option],
        f"{_changed(option, *pairs[0], others=k - 1)} changes accuracy by {change(mean)} on "
        f"average over {k} pairs of runs that differ in nothing else "
        f"({interval(mean - half, mean + half)}, paired t), {verdict}.",
        "; ".join(
            f"{before.label} {percent(before.accuracy)}, {after.label} {percent(after.accuracy)}"
            for before, after in pairs
        ),
    )


def _changed(option: str, before: ComparedModel, after: ComparedModel, others: int = 0) -> str:
    one, other = _settings(before)[option], _settings(after)[option]
    of = before.run.options.model if others or option == "weights" else before.label
    told = spelled(option, other)
    return f"{told[0].upper()}{told[1:]} instead of {one} in {of}"


def _spread(group: list[ComparedModel], first: ComparedModel, second: ComparedModel) -> Finding:
    ahead = first.accuracy - second.accuracy
    accuracies = [compared_model.accuracy for compared_model in group]
    wide = max(accuracies) - min(accuracies)
    compared = "less" if wide < ahead else "no less"
    return Finding(
        "seeds",
        f"Over {len(group)} seeds {_without_seed(group[0])} reaches "
        f"{percent(min(accuracies))} to {percent(max(accuracies))}: the seed alone moves it by "
        f"{points(wide)}, {compared} than the {points(ahead)} between {first.label} "
        f"and {second.label}.",
        "; ".join(f"{each.label} {percent(each.accuracy)}" for each in group),
    )


def _without_seed(compared_model: ComparedModel) -> str:
    seed = spelled("seed", str(compared_model.run.options.seed))
    return compared_model.label.replace(f", {seed}", "")


def _by_change(facts: Facts, option: str) -> Iterator[Twins]:
    """Contenders that differ in the option alone, the default first, by what is changed."""
    default = Train().fingerprint_fields()[option]
    found: dict[tuple[str, str, str], Twins] = {}
    for group in _alike(facts.compared_models, option):
        before, *others = sorted(group, key=lambda each: _settings(each)[option] != default)
        one = _settings(before)[option]
        for after in others:
            if (other := _settings(after)[option]) != one:
                key = (before.run.options.model, one, other)
                found.setdefault(key, []).append((before, after))
    yield from found.values()


def _alike(compared_models: tuple[ComparedModel, ...], option: str) -> list[list[ComparedModel]]:
    """The compared_models in groups that agree in everything but the option."""
    groups: dict[tuple[str, ...], list[ComparedModel]] = {}
    for compared_model in compared_models:
        rest = {k: v for k, v in _settings(compared_model).items() if k != option}
        groups.setdefault(tuple(rest.values()), []).append(compared_model)
    return list(groups.values())


def _settings(compared_model: ComparedModel) -> dict[str, str]:
    """The options that decide the result, the weights as they were found."""
    return compared_model.run.options.fingerprint_fields() | {
        "weights": weights(compared_model.run)
    }
