"""Which classes make the difference between the leaders."""

from fmnist.comparison.results import ComparedModel, Finding
from fmnist.comparison.rules_facts import Facts
from fmnist.comparison.rules_words import change, listed, points


def classes(facts: Facts) -> list[Finding]:
    """The classes that hold half of the difference or more, and those on which it turns round.

    A class's share is the difference of images of it that were answered rightly, over all images;
    the shares of all classes sum to the difference of accuracies.
    """
    first, second = facts.leaders
    shares = dict(zip(facts.comparison.class_names, _shares(facts, first, second), strict=True))
    ahead = sorted((name for name in shares if shares[name] > 0), key=lambda name: -shares[name])
    behind = sorted((name for name in shares if shares[name] < 0), key=lambda name: shares[name])
    evidence = ", ".join(f"{name} {change(share)}" for name, share in shares.items())
    if not ahead and not behind:
        told = (
            f"{first.label} and {second.label} are right on equally many images of every class "
            f"({points(0)} apart)"
        )
        return [Finding("classes", f"{told}.", evidence)]
    total = first.accuracy - second.accuracy
    turned = (
        f"{second.label} is better on {_told(behind, shares)}"
        if behind
        else f"{second.label} is better on none ({len(shares)} classes)"
    )
    if total <= 0:
        told = f"{first.label} is better on {_told(ahead, shares)}, and {turned}: they cancel out"
    else:
        told = (
            f"Half or more of the {points(total)} by which {first.label} is ahead of "
            f"{second.label} comes from {_told(_half_of(total, ahead, shares), shares)}; {turned}"
        )
    return [Finding("classes", f"{told}.", evidence)]


def _shares(facts: Facts, first: ComparedModel, second: ComparedModel) -> list[float]:
    """By class: images that the first has right more than the second, over all images."""
    return [
        (one.recall * one.support - other.recall * other.support) / facts.rows
        for one, other in zip(first.per_class, second.per_class, strict=True)
    ]


def _half_of(total: float, ahead: list[str], shares: dict[str, float]) -> list[str]:
    held, deciding = 0.0, []
    for name in ahead:
        if held >= total / 2:
            break
        deciding.append(name)
        held += shares[name]
    return deciding


def _told(class_names: list[str], shares: dict[str, float]) -> str:
    return listed([f"{name} ({points(shares[name])})" for name in class_names])
