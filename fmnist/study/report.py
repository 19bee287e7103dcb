"""Metrics, files and description of a study."""

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from fmnist import names
from fmnist.results.steps import FinishedStep
from fmnist.study.reproduction import Reproduced, to_json, to_markdown

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
                "step": each.step.name,
                "run_id": each.run_id,
                "skipped": each.was_skipped,
                "seconds": round(each.seconds, 1),
            }
            for each in finished
        ]
    )
    return {
        names.TABLE_STEPS: table.to_csv(index=False).encode(),
        names.REPRODUCTION: to_json(results),
    }


def describe(
    comparison: FinishedStep, weights: Mapping[str, str], results: Sequence[Reproduced]
) -> str:
    """The description of the comparison and the comparison with the reference report."""
    compared = [result for result in results if result.passed is not None]
    passed = sum(result.passed is True for result in compared)
    sources = ", ".join(f"{model} {source}" for model, source in weights.items())
    return (
        f"{comparison.description}\n\nWeights of the backbones: {sources}.\n\n"
        f"**{passed} of {len(compared)} comparable numbers of the reference report are "
        f"reproduced**\n\n{to_markdown(results)}"
    )
