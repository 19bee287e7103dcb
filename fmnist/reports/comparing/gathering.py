"""The runs to compare with their answers, all on the same test rows, and what goes with them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from fmnist import names
from fmnist.comparison import LeftOut
from fmnist.errors import BadInput
from fmnist.logged import FoundRun, LoggedCrossval, LoggedRun
from fmnist.options import Crossval, Options, Train
from fmnist.reports.comparing import reading
from fmnist.reports.comparing.choice import Choice, left_out

# From a run and the names of files to the bytes of those that it has.
Files = Callable[[FoundRun, Iterable[str]], Mapping[str, bytes]]


@dataclass(frozen=True, eq=False)
class Gathered:
    """Runs on the same test rows with the same labels, at least two, the newest first.

    Args:
        crossvals: by the id of the run that has the same options.
    """

    runs: tuple[LoggedRun, ...]
    crossvals: Mapping[str, LoggedCrossval]
    left_out: tuple[LeftOut, ...]
    class_names: tuple[str, ...]
    data_digest: str


def gather(choice: Choice, files: Files, crossvals: Iterable[FoundRun], strict: bool) -> Gathered:
    """Read what was chosen.

    Args:
        crossvals: runs of `crossval` on the same data, the newest first.
        strict: whether a run that cannot be compared is an error, or left out.

    Raises:
        BadInput: with `strict`, a run's files are damaged, or two runs answered other test rows;
            without, fewer than two runs are left.
    """
    runs, class_names, others = [], [], list(choice.left_out)
    for candidate in choice.candidates:
        found = candidate.found
        try:
            stored = files(found, reading.FILES)
            run, called = reading.logged_run(candidate, stored), reading.class_names(stored)
        except reading.Damaged as error:
            if strict:
                raise BadInput(f"runs={found.run_id} ({found.name}): {error}") from error
            others.append(left_out(found, str(error)))
            continue
        runs.append(run)
        class_names.append(called)
    tested, untested = _on_the_same_rows(runs, strict)
    if len(tested) < 2:
        raise BadInput(_run_first(tested, [*untested, *others]))
    matched, damaged = _matching(tested, files, crossvals)
    return Gathered(
        runs=tuple(tested),
        crossvals=matched,
        left_out=(*untested, *others, *damaged),
        class_names=class_names[runs.index(tested[0])],
        data_digest=tested[0].tags.get(names.TAG_DATA_DIGEST, "unknown"),
    )


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
    runs: list[LoggedRun], files: Files, crossvals: Iterable[FoundRun]
) -> tuple[dict[str, LoggedCrossval], list[LeftOut]]:
    """The newest cross-validation of each run's options, and those with damaged files."""
    matched: dict[str, LoggedCrossval] = {}
    damaged = []
    for found, options in _finished(crossvals):
        fitting = [run for run in runs if run.run_id not in matched and _same(run, found, options)]
        if not fitting:
            continue
        try:
            stored = files(found, reading.CROSSVAL_FILES)
            crossval = reading.logged_crossval(found, options, stored)
        except reading.Damaged as error:
            damaged.append(left_out(found, str(error)))
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
    return {name: text for name, text in options.affecting_result().items() if name in both}


def _run_first(runs: list[LoggedRun], others: list[LeftOut]) -> str:
    command = "mlflow run . -e train --env-manager local"
    lenet, transfer = f"\n  {command}", f"\n  {command} -P model=vgg16"
    if runs:
        run = runs[0]
        missing = transfer if run.options.model == "lenet5" else lenet
        told = (
            f"wanted two or more finished runs of train to compare, found one, "
            f"{run.options.model} ({run.run_id}); first run{missing}\nor the same model with "
            f"another option:\n  {command} -P model={run.options.model} -P dropout=0.4"
        )
    else:
        told = (
            "wanted two or more finished runs of train to compare, found none; "
            f"first run{lenet}{transfer}"
        )
    reasons = "".join(f"\n  {other.name} {other.run_id}: {other.reason}" for other in others)
    return told + (f"\nleft out:{reasons}" if reasons else "")
