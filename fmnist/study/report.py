"""A study as others see it: which step is which run, and the report's numbers beside ours."""

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from fmnist import names
from fmnist.results.study import Done
from fmnist.study import reproduction
from fmnist.study.reproduction import Reproduced

# What a study adds to the files of its comparison.
FILES: Final = frozenset({names.TABLE_STEPS, names.REPRODUCTION})


def metrics(done: Sequence[Done], seconds: float) -> dict[str, float]:
    """What a study has once."""
    return {
        names.STUDY_STEPS: len(done),
        names.STUDY_STEPS_SKIPPED: sum(one.skipped for one in done),
        names.STUDY_SECONDS: seconds,
    }


def files(done: Sequence[Done], reproduced: Sequence[Reproduced]) -> dict[str, bytes]:
    """Its tables, by their artifact names."""
    table = pd.DataFrame(
        [
            {
                "step": one.step.name,
                "run_id": one.run_id,
                "skipped": one.skipped,
                "seconds": round(one.seconds, 1),
            }
            for one in done
        ]
    )
    return {
        names.TABLE_STEPS: table.to_csv(index=False).encode(),
        names.REPRODUCTION: reproduction.as_json(reproduced),
    }


def note(compared: Done, weights: Mapping[str, str], reproduced: Sequence[Reproduced]) -> str:
    """What the comparison says, which weights it rests on, and what of the report came out again.

    In Markdown.
    """
    passed = sum(one.passed for one in reproduced)
    sources = ", ".join(f"{model} {source}" for model, source in weights.items())
    return (
        f"{compared.note}\n\nWeights of the frozen networks: {sources}.\n\n"
        f"**{passed} of {len(reproduced)} numbers of the report reproduced**\n\n"
        f"{reproduction.as_markdown(reproduced)}"
    )
