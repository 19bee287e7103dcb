"""The runs to compare with their answers, all on the same test rows, and what goes with them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from fmnist import names
from fmnist.comparison import parse, select
from fmnist.comparison.results import LeftOut
from fmnist.comparison.rules_facts import NearDuplicates
from fmnist.errors import BadInput
from fmnist.options import Crossval, Options, Train
from fmnist.options.train import FROM_SCRATCH
from fmnist.results.runs import FoundRun, LoggedCrossval, LoggedRun


class RunStore(Protocol):
    """Where runs are found; see `fmnist.tracking.search`."""

    @property
    def address(self) -> str: ...
    def get(self, run_ids: Iterable[str]) -> list[FoundRun]: ...
    def search(self, kind: str, tags: Mapping[str, str] | None = None) -> Iterable[FoundRun]: ...
    def download(self, run: FoundRun, artifacts: Iterable[str]) -> Mapping[str, bytes]: ...


@dataclass(frozen=True, eq=False)
class Gathered:
    """Runs on the same test rows with the same labels, at least two, the newest first.

    Args:
        crossvals: by the id of the run that has the same options.
        near: None when no run of `eda` has looked for near-duplicates in the same data.
        model_ids: of the models that the runs have logged.
    """

    runs: tuple[LoggedRun, ...]
    crossvals: Mapping[str, LoggedCrossval]
    near: NearDuplicates | None
    left_out: tuple[LeftOut, ...]
    class_names: tuple[str, ...]
    data_digest: str
    model_ids: tuple[str, ...]


def gather(shelf: RunStore, run_ids: Sequence[str] = (), models: Sequence[str] = ()) -> Gathered:
    """What is to be compared, read from the shelf.

    Args:
        run_ids: the runs to compare, each of which must do; empty to choose among all.
        models: what to choose from; empty for all.

    Raises:
        BadInput: a named run cannot be compared, or fewer than two can.
    """
    named = bool(run_ids)
    chosen = (
        select.named(shelf.get(run_ids)) if named else select.newest(shelf.search("train"), models)
    )
    runs, class_names, others = _read(shelf, chosen, strict=named)
    tested, untested = _on_the_same_rows(runs, strict=named)
    if len(tested) < 2:
        raise BadInput(_run_first(shelf.address, tested, [*untested, *others]))
    digest = tested[0].tags.get(names.TAG_DATA_DIGEST, "unknown")
    of_these_data = {names.TAG_DATA_DIGEST: digest}
    crossvals, damaged = _matching(tested, shelf, shelf.search("crossval", of_these_data))
    compared = {run.run_id for run in tested}
    return Gathered(
        runs=tuple(tested),
        crossvals=crossvals,
        near=_near_duplicates(shelf.search("eda", of_these_data)),
        left_out=(*untested, *others, *damaged),
        class_names=class_names[runs.index(tested[0])],
        data_digest=digest,
        model_ids=tuple(
            candidate.found.model_id
            for candidate in chosen.candidates
            if candidate.found.run_id in compared and candidate.found.model_id
        ),
    )


def _read(
    shelf: RunStore, chosen: select.Choice, strict: bool
) -> tuple[list[LoggedRun], list[tuple[str, ...]], list[LeftOut]]:
    """The runs that can be read, what each calls its classes, and those left out by now."""
    runs, class_names, others = [], [], list(chosen.left_out)
    for candidate in chosen.candidates:
        found = candidate.found
        try:
            stored = shelf.download(found, parse.FILES)
            run, called = parse.logged_run(candidate, stored), parse.class_names(stored)
        except parse.Damaged as error:
            if strict:
                raise BadInput(
                    f"runs={found.run_id} ({found.name}): {error}; train it again or leave it out"
                ) from error
            others.append(select.left_out(found, str(error)))
            continue
        runs.append(run)
        class_names.append(called)
    return runs, class_names, others


def _on_the_same_rows(runs: list[LoggedRun], strict: bool) -> tuple[list[LoggedRun], list[LeftOut]]:
    """The runs that answered what most of them did (of equals the newest), and the others."""
    questions = [sha256(run.rows.tobytes() + run.test.labels.tobytes()).digest() for run in runs]
    if not runs:
        return [], []
    counts = Counter(questions)
    most = max(counts.values())
    asked = next(question for question in questions if counts[question] == most)
    same = [run for run, question in zip(runs, questions, strict=True) if question == asked]
    others = [run for run, question in zip(runs, questions, strict=True) if question != asked]
    if strict and others:
        raise BadInput(
            f"runs: {same[0].run_id} and {others[0].run_id} answered different test rows "
            f"({len(same[0].rows):,} and {len(others[0].rows):,}) or have other labels for them; "
            "compare runs on the same test rows"
        )
    reason = f"its {{}} test rows or their labels are not the {len(same[0].rows):,} compared"
    return same, [
        LeftOut(run.run_id, run.name, run.link, reason.format(f"{len(run.rows):,}"))
        for run in others
    ]


def _matching(
    runs: list[LoggedRun], shelf: RunStore, crossvals: Iterable[FoundRun]
) -> tuple[dict[str, LoggedCrossval], list[LeftOut]]:
    """The newest cross-validation of each run's options, and those with damaged files."""
    matched: dict[str, LoggedCrossval] = {}
    damaged = []
    for found, options in _finished(crossvals):
        fitting = [run for run in runs if run.run_id not in matched and _same(run, found, options)]
        if not fitting:
            continue
        try:
            stored = shelf.download(found, parse.CROSSVAL_FILES)
            crossval = parse.logged_crossval(found, options, stored)
        except parse.Damaged as error:
            damaged.append(select.left_out(found, str(error)))
            continue
        matched |= {run.run_id: crossval for run in fitting}
    return matched, damaged


def _finished(crossvals: Iterable[FoundRun]) -> Iterator[tuple[FoundRun, Crossval]]:
    for found in crossvals:
        if found.done:
            try:
                yield found, Crossval.from_text(found.parameters)
            except BadInput:
                continue  # of options that this version does not know


def _same(run: LoggedRun, found: FoundRun, options: Crossval) -> bool:
    """Whether both trained the same: the options that both have, and the weights, are equal."""
    weights = names.TAG_WEIGHTS_DIGEST
    return _shared(run.options) == _shared(options) and run.tags.get(weights) == found.tags.get(
        weights
    )


def _shared(options: Options) -> dict[str, str]:
    both = Train.model_fields.keys() & Crossval.model_fields.keys()
    return {name: text for name, text in options.fingerprint_fields().items() if name in both}


def _near_duplicates(explorations: Iterable[FoundRun]) -> NearDuplicates | None:
    """What the newest finished exploration of the data has counted."""
    name = names.NEAR_DUPLICATE_TEST_ROWS
    counted = (run for run in explorations if run.done and name in run.metrics)
    return next((NearDuplicates(int(run.metrics[name]), run.run_id) for run in counted), None)


def _run_first(store: str, runs: list[LoggedRun], others: list[LeftOut]) -> str:
    command = "mlflow run . -e train --env-manager local"
    lenet, transfer = f"\n  {command}", f"\n  {command} -P model=vgg16"
    wanted = f"wanted two or more finished runs of train on {store} to compare"
    if runs:
        model = runs[0].options.model
        missing = transfer if model in FROM_SCRATCH else lenet
        told = (
            f"{wanted}, found one, {model} ({runs[0].run_id}); first run{missing}\n"
            f"or the same model with another option:\n  {command} -P model={model} -P dropout=0.4"
        )
    else:
        told = f"{wanted}, found none; first run{lenet}{transfer}"
    reasons = "".join(f"\n  {other.name} {other.run_id}: {other.reason}" for other in others)
    return told + (f"\nleft out:{reasons}" if reasons else "")
