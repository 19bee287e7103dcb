"""Short names of models that contain only what differs, and the options that are the same."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fmnist.comparison.models import SCRATCH, TrainRun
from fmnist.options import Train

# Shared options that are always of interest; others only if they differ from the defaults.
_ALWAYS: Final = ("train_size", "epochs", "batch_size", "learning_rate", "validation_fraction")
_WEIGHTS: Final = {"none": "random", "hed-bsds500": "hed"}


def create_labels(runs: Sequence[TrainRun]) -> list[str]:
    """A short, unique label for each model, given one run of each.

    It consists of the model or its recipe, weights other than ImageNet's, and the options that
    differ from the defaults (or from those of the recipe) and are not the same in all runs. Models
    that are equal in all of these are distinguished by the start of the run's id.
    """
    labels = [_create_label(run, runs) for run in runs]
    counts = Counter(labels)
    return [
        f"{label} (run {run.record.run_id[:8]})" if counts[label] > 1 else label
        for label, run in zip(labels, runs, strict=True)
    ]


def find_shared_settings(runs: Sequence[TrainRun]) -> Mapping[str, str]:
    """The options that all models share: the main ones, and those that are not at the default."""
    default = Train().fingerprint_fields()
    first, *others = [run.settings for run in runs]
    return {
        name: value
        for name, value in first.items()
        if name not in ("model", "weights")
        and all(other[name] == value for other in others)
        and (name in _ALWAYS or value != default[name])
    }


def describe_setting(name: str, value: str) -> str:
    """An option and its value in words: `dropout 0.4`, `all training rows`."""
    if name == "train_size":
        return f"{int(value):,} training rows" if int(value) else "all training rows"
    if name == "epochs":
        return f"{value} epoch{'s' * (value != '1')}"
    return f"{name.replace('_', ' ')} {value}"


def _create_label(run: TrainRun, runs: Sequence[TrainRun]) -> str:
    recipe, model = run.options.recipe, run.options.model
    words: list[str] = []
    title: str = model
    if recipe != "report" and any(other.options.recipe != recipe for other in runs):
        if recipe.startswith(model):  # such as lenet5-10
            title = recipe
        else:
            words.append(recipe)
    if run.kind != SCRATCH and run.weights != "imagenet":
        title += f" ({_WEIGHTS.get(run.weights, Path(run.weights).name)} weights)"
    default = Train(recipe=recipe, model=model).fingerprint_fields()
    for name, value in run.settings.items():
        if name in ("model", "weights") or value == default[name]:
            continue
        if any(other.settings[name] != value for other in runs):
            words.append(f"{name.replace('_', ' ')} {value}")
    return " ".join(filter(None, (title, ", ".join(words))))
