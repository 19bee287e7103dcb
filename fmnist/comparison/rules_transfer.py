"""What a frozen backbone was given: weights, input size, input scaling."""

from typing import Final

from fmnist import names
from fmnist.comparison.labels import IMAGENET, NO_WEIGHTS, weights
from fmnist.comparison.results import ComparedModel, Finding
from fmnist.comparison.rules_facts import Facts
from fmnist.comparison.rules_options import has_twin
from fmnist.comparison.rules_words import percent
from fmnist.models.backbones import BACKBONES, Scaling

_SIDE: Final = 28
_TRAINED_ON: Final[dict[Scaling, str]] = {
    "caffe": "BGR minus the mean pixel",
    "tf": "-1..1",
    "torch": "standardised RGB",
    "none": "0..255",
}


def origin(facts: Facts) -> list[Finding]:
    """Whether the best backbone speaks for ImageNet weights."""
    return [_origin(facts, best) for best in facts.transfers[:1]]


def given(facts: Facts) -> list[Finding]:
    """The size and the range in which the best backbone saw the images, where none was varied.

    Random weights expect no range.
    """
    found = []
    for best in facts.transfers[:1]:
        if not has_twin(facts, "input_size", best):
            found.append(_size(best))
        if weights(best.run) != NO_WEIGHTS and not has_twin(facts, "input_scaling", best):
            found.append(_scaling(best))
    return found


def _origin(facts: Facts, best: ComparedModel) -> Finding:
    found = weights(best.run)
    reached = f"{percent(best.accuracy)} of {best.label}"
    others = sum(weights(each.run) == IMAGENET for each in facts.transfers)
    if found == IMAGENET:
        told = f"The {reached} rests on ImageNet weights, as transfer learning is usually meant"
    elif found == NO_WEIGHTS:
        told = (
            f"The {reached} rests on random weights: nothing was transferred, so it says nothing "
            "of what ImageNet weights would reach"
        )
    else:
        told = (
            f"The {reached} rests on the weights {found}, not ImageNet's: it says nothing of what "
            "those would reach"
        )
    return Finding(
        "weights",
        f"{told}; models with ImageNet weights: {others} of {len(facts.transfers)}.",
        f"{names.TAG_WEIGHTS} {found}; test_accuracy {percent(best.accuracy)}",
    )


def _size(best: ComparedModel) -> Finding:
    side, least = best.run.options.input_size, BACKBONES[best.run.options.model].minimum_side
    seen = f"{best.label} saw the {_SIDE} x {_SIDE} images at {side} x {side} pixels"
    told = (
        f"{seen}, the smallest size that it takes"
        if side == least
        else f"{seen}, {side / least:.1f} times the smallest size that it takes ({least})"
    )
    return Finding(
        "input",
        f"{told}; no model differs from it in size alone, so what size does to it is not "
        "measured here.",
        f"input_size {side}, minimum {least}",
    )


def _scaling(best: ComparedModel) -> Finding:
    model, scaling = best.run.options.model, best.run.options.input_scaling
    wanted = f"ImageNet weights of {model} expect {_TRAINED_ON[BACKBONES[model].scaling]}"
    told = (
        f"{best.label} was fed pixels of 0..1, where {wanted}"
        if scaling == "unit"
        else f"{best.label} was fed pixels as they should be: {wanted}"
    )
    return Finding(
        "input",
        f"{told}; no model differs from it in scaling alone.",
        f"input_scaling {scaling}",
    )
