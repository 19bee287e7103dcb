"""Which of the runs found are compared, and why not the others."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fmnist import names
from fmnist.comparison.results import LeftOut
from fmnist.errors import BadInput
from fmnist.options import Train
from fmnist.results.runs import FoundRun

# More would make pages that nobody reads, of thousands of pairs.
MOST: Final = 50
# How many runs are listed one by one for the same sort of reason.
_LISTED: Final = 10


@dataclass(frozen=True)
class Candidate:
    """A run to compare, with its options in their types."""

    found: FoundRun
    options: Train


@dataclass(frozen=True)
class Choice:
    """The candidates, the newest first, and those left out."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]


def newest(found: Iterable[FoundRun], models: Sequence[str]) -> Choice:
    """The newest finished run of every configuration, all on the data set that most of them used.

    Args:
        found: runs of `train`, the newest first.
        models: only these; empty for all.

    Raises:
        BadInput: too many configurations for one comparison.
    """
    kept: dict[tuple[object, ...], Candidate] = {}
    unfinished: dict[tuple[object, ...], LeftOut] = {}
    unreadable: list[LeftOut] = []
    same = other_code = ablations = 0
    for run in found:
        if names.TAG_ABLATION in run.tags:
            ablations += 1
            continue
        try:
            options = _options(run)
        except BadInput as error:
            unreadable.append(left_out(run, str(error)))
            continue
        if models and options.model not in models:
            continue
        key = _configuration(run, options)
        if key not in kept:
            if run.done:
                kept[key] = Candidate(run, options)
            else:
                unfinished.setdefault(key, left_out(run, _not_done(run)))
        elif run.done:
            compared = kept[key].found.tags.get(names.TAG_CONFIG_DIGEST)
            if run.tags.get(names.TAG_CONFIG_DIGEST) == compared:
                same += 1
            else:
                other_code += 1
    candidates, others = _of_one_data_set(list(kept.values()))
    if len(candidates) > MOST:
        raise BadInput(
            f"wanted at most {MOST} configurations to compare, found {len(candidates)}; name some "
            "with runs, models or experiments"
        )
    return Choice(
        tuple(candidates),
        (
            *others,
            *_short(list(unfinished.values()), "they have not finished"),
            *_short(unreadable, "their options cannot be read"),
            *_counted(ablations, "they were trained to tell what a technique adds"),
            *_counted(same, "a newer run of the same configuration is compared"),
            *_counted(
                other_code,
                "a newer run of the same options is compared; its code or libraries are others",
            ),
        ),
    )


def named(found: Sequence[FoundRun]) -> Choice:
    """All of the runs, which a user has asked for by id.

    Raises:
        BadInput: one is no finished run of `train`, or two were tested on different data sets.
    """
    candidates = []
    for run in found:
        if run.kind != "train":
            raise BadInput(f"runs={run.run_id}: that is a run of kind {run.kind}, wanted train")
        if not run.done:
            raise BadInput(f"runs={run.run_id}: {_not_done(run)}; wanted a finished run")
        try:
            candidates.append(Candidate(run, _options(run)))
        except BadInput as error:
            raise BadInput(f"runs={run.run_id}: {error}") from error
    if len(candidates) > MOST:
        raise BadInput(f"runs: wanted at most {MOST} to compare, got {len(candidates)}")
    first, *rest = candidates
    for other in rest:
        if _data(other) != _data(first):
            raise BadInput(
                f"runs: {first.found.run_id} and {other.found.run_id} used different data sets "
                f"(digests {_data(first)} and {_data(other)}); compare runs on the same data"
            )
    return Choice(tuple(sorted(candidates, key=_started, reverse=True)), ())


def left_out(run: FoundRun, reason: str) -> LeftOut:
    """The run, as one that is not compared."""
    return LeftOut(run.run_id, run.name, run.link, reason)


def _options(run: FoundRun) -> Train:
    if "model" not in run.parameters:
        raise BadInput("it has logged no options")
    return Train.from_text(run.parameters)


def _configuration(run: FoundRun, options: Train) -> tuple[object, ...]:
    weights = run.tags.get(names.TAG_WEIGHTS_DIGEST)
    return run.tags.get(names.TAG_DATA_DIGEST), weights, *options.fingerprint_fields().values()


def _not_done(run: FoundRun) -> str:
    reason = run.tags.get(names.TAG_ERROR)
    return f"it is {run.status}" + (f": {reason}" if reason else "")


def _of_one_data_set(candidates: list[Candidate]) -> tuple[list[Candidate], list[LeftOut]]:
    """Those on the data set that most of them used (of equals the newest), and the others."""
    counts = Counter(map(_data, candidates))
    if not counts:
        return [], []
    most = max(counts.values())
    data = next(_data(each) for each in candidates if counts[_data(each)] == most)
    others = [
        left_out(each.found, f"its data set is another (digest {_data(each)}, compared: {data})")
        for each in candidates
        if _data(each) != data
    ]
    return [each for each in candidates if _data(each) == data], _short(
        others, "their data sets are others"
    )


def _data(candidate: Candidate) -> str:
    return candidate.found.tags.get(names.TAG_DATA_DIGEST, "unknown")


def _started(candidate: Candidate) -> float:
    return candidate.found.started_at


def _short(listed: list[LeftOut], reason: str) -> list[LeftOut]:
    """The first of the list, and the others as a number."""
    return listed[:_LISTED] + _counted(len(listed) - _LISTED, reason, more=True)


def _counted(count: int, reason: str, more: bool = False) -> list[LeftOut]:
    if count <= 0:
        return []
    runs = "1 run" if count == 1 else f"{count:,} runs"
    return [LeftOut("", runs.replace(" run", " more run") if more else runs, None, reason)]
