"""Comparisons of runs that a test makes up, without a store."""

from collections.abc import Mapping
from itertools import count

import numpy as np

from fmnist import names
from fmnist.comparison.build import comparison
from fmnist.comparison.load import Gathered
from fmnist.comparison.results import Comparison
from fmnist.comparison.rules_facts import NearDuplicates
from fmnist.options import Crossval, Train
from fmnist.results.runs import LoggedCrossval, LoggedRun
from fmnist.results.training import Evaluation, History
from tests.helpers.logged_runs import CLASS_NAMES, answers, history

_numbers = count(1)


def run(
    options: Train,
    right: int | Evaluation = 150,
    *,
    past: History | None = None,
    tags: Mapping[str, str] | None = None,
    **metrics: float,
) -> LoggedRun:
    """A run with so many of 200 test rows right, or with these answers."""
    number = next(_numbers)
    test = answers(right) if isinstance(right, int) else right
    weights = {} if options.model == "lenet5" else {names.TAG_WEIGHTS: options.weights}
    return LoggedRun(
        run_id=f"{number:032x}",
        name=f"run {number}",
        link=None,
        started_at=float(number),
        options=options,
        tags={**weights, **(tags or {})},
        metrics=metrics,
        history=past or history(),
        rows=np.arange(len(test.labels)),
        test=test,
    )


def crossval(options: Crossval, *held_out: float, **metrics: float) -> LoggedCrossval:
    number = next(_numbers)
    return LoggedCrossval(f"{number:032x}", None, float(number), options, metrics, held_out)


def compared(
    *runs: LoggedRun,
    crossvals: Mapping[str, LoggedCrossval] | None = None,
    near: int | None = None,
) -> Comparison:
    """The runs compared; `near` is how many near-duplicates a run of `eda` has counted."""
    gathered = Gathered(
        runs=runs,
        crossvals=crossvals or {},
        near=None if near is None else NearDuplicates(near, "e" * 32),
        left_out=(),
        class_names=CLASS_NAMES,
        data_digest="d" * 32,
        model_ids=(),
    )
    return comparison(gathered, seed=0)


def told(found: Comparison, topic: str) -> str:
    """What is said about the topic, a line each, with hyphens for minus signs."""
    lines = [each.sentence for each in found.findings if each.topic == topic]
    return "\n".join(lines).replace("\N{MINUS SIGN}", "-")
