"""Nested runs: parts of the work of this process, and steps that run as separate processes."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.errors import DriftAlarm, TrackingIncomplete, WorkFailed
from fmnist.results.runs import RunRecord
from fmnist.results.steps import FinishedStep, Step, command_of
from fmnist.system import atomic
from fmnist.system.identity import this_process
from fmnist.system.processes import Command, run_processes
from fmnist.system.progress import Progress
from fmnist.system.signals import signals_deferred
from fmnist.tracking import search
from fmnist.tracking.run import PARENT_TAG, Run, to_points
from fmnist.tracking.start import TAG_LENGTH

_INCOMPLETE: Final = (
    "is finished, but some records have not been uploaded; when the tracking server is available, "
    "the same command uploads them and continues"
)
_FAILED: Final = (
    "failed with exit code {}, see its message above; finished runs are kept, and the same command "
    "continues from there"
)


@dataclass(frozen=True)
class NestedRun:
    """Results to store as a run nested in another one.

    Args:
        history: (time, metrics) of each epoch or fold; steps count from 1.
        metrics: logged once, without a step.
        files: contents by artifact path.
        inputs: dataset inputs, see `inputs.describe_inputs`.
        started: seconds since 1970, like all times here.
        error: why the work failed; the run is FAILED if this is not empty.
    """

    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    started: float
    ended: float
    history: Iterable[tuple[float, Mapping[str, float]]] = ()
    metrics: Mapping[str, float] | None = None
    files: Mapping[str, bytes] | None = None
    inputs: Sequence[Mapping[str, Any]] = ()
    error: str = ""


def log_nested_run(parent: Run, result: NestedRun) -> None:
    """Store a nested run; it is FINISHED only after all of it is stored."""
    error = {names.TAG_ERROR: result.error[:TAG_LENGTH]} if result.error else {}
    nesting = {PARENT_TAG: parent.run_id, names.TAG_PROCESS: this_process()}
    ended = int(1000 * result.ended)
    points = to_points(result.metrics or {}, ended, 0)
    for step, (at, row) in enumerate(result.history, start=1):
        points += to_points(row, int(1000 * at), step)
    with signals_deferred():  # so that no run stays open
        parent.writer.put(
            "nested",
            partial(atomic.write_files, result.files or {}),
            token=uuid.uuid4().hex,
            name=result.name,
            params=dict(result.params),
            tags={**nesting, **result.tags, **error},
            metrics=points,
            inputs=list(result.inputs),
            start_time=int(1000 * result.started),
            end_time=ended,
            status="FAILED" if result.error else "FINISHED",
        )


def finished_children(parent: Run, kind: str) -> Iterator[tuple[RunRecord, dict[str, bytes]]]:
    """Yield the FINISHED runs of a kind nested in a run, with their files.

    Runs that were interrupted are ended as KILLED. Runs whose files cannot be read are left out.
    """
    for run in search.nested_runs(parent.run_id, kind):
        if run.status == "RUNNING":
            parent.client.set_tag(run.run_id, names.TAG_ERROR, "its parent was stopped")
            parent.client.set_terminated(run.run_id, "KILLED")
        if run.status == "FINISHED":
            try:
                files = parent.download_files(run.run_id)
            except (MlflowException, OSError):
                continue
            yield run, files


def run_steps(
    groups: Iterable[Sequence[Step]],
    parent: Run,
    progress: Progress,
    *,
    reuse: bool = False,
    processes: int = 1,
) -> list[FinishedStep]:
    """Run entry points as processes whose runs are nested in `parent`.

    Args:
        groups: each is one step, or trainings that differ only in their seed; one process runs a
            group, in order.
        progress: counts runs; those of other calls belong to it too.
        reuse: use finished runs of the same configuration instead of repeating them.
        processes: number of groups that run at a time.

    Returns:
        All steps, in the order of `groups`.

    Raises:
        WorkFailed: a process failed, or left no finished run; other processes are terminated.
    """
    groups = [list(group) for group in groups]
    steps = [step for group in groups for step in group]
    finished: dict[str, FinishedStep] = {}
    for step in steps:
        if reuse and step.digest and (done := search.finished_runs(step.entry_point, step.digest)):
            print(f"{step.title}: already done in run {done[0].run_id}", flush=True)
            progress.skip()
            finished[step.title] = _finish(step, done[0], 0.0, was_skipped=True)
    missing = [[step for step in group if step.title not in finished] for group in groups]
    missing = [group for group in missing if group]
    environment = parent.child_environment()
    commands = [Command(group[0].label, command_of(group), environment) for group in missing]
    with closing(run_processes(commands, processes, progress)) as ended_processes:
        for ended in ended_processes:
            group = missing[ended.number]
            if ended.code not in (0, DriftAlarm.exit_code):
                is_incomplete = ended.code == TrackingIncomplete.exit_code
                reason = _INCOMPLETE if is_incomplete else _FAILED.format(ended.code)
                raise WorkFailed(f"step `{group[0].label}` {reason}")
            for each in _finished_in(parent, group, ended.started):
                Run(parent.client, each.run_id).set_tags(each.step.tags)
                finished[each.step.title] = each
                progress.update(progress.done + 1)
    return [finished[step.title] for step in steps]


def _finished_in(parent: Run, group: Sequence[Step], started: float) -> Iterator[FinishedStep]:
    """Yield the steps of a process, which started at this time, with their runs."""
    runs = search.nested_runs(parent.run_id, group[0].entry_point)
    for step in group:
        found = (run for run in runs if run.is_finished and _is_run_of(step, run))
        run = next(found, None)
        if run is None:
            raise WorkFailed(f"step `{step.title}` left no run in the experiment of the study")
        # The first also counts the start of the process.
        yield _finish(step, run, run.ended_at - started, was_skipped=False)
        started = run.ended_at


def _is_run_of(step: Step, run: RunRecord) -> bool:
    # Not by digest, which changes if the code is edited while the study runs.
    options = type(step.options).from_text(run.parameters)
    return options.fingerprint_fields() == step.options.fingerprint_fields()


def _finish(step: Step, run: RunRecord, seconds: float, *, was_skipped: bool) -> FinishedStep:
    return FinishedStep(
        step=step,
        run_id=run.run_id,
        metrics=run.metrics,
        description=run.tags.get(names.TAG_NOTE, ""),
        alarm=run.tags.get(names.TAG_ALARM, ""),
        seconds=seconds,
        was_skipped=was_skipped,
    )
