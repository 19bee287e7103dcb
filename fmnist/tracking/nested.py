"""Nested runs: pieces of work of this process, and steps that are processes of their own."""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.errors import WorkFailed
from fmnist.results.runs import RunRecord
from fmnist.results.steps import FinishedStep, Step
from fmnist.system.console import current_console
from fmnist.system.progress import Progress
from fmnist.system.signals import run_subprocess, signals_deferred
from fmnist.tracking import search
from fmnist.tracking.run import TAG_LENGTH, Run, file_writer, round_metric

_DRIFT_ALARM, _TRACKING_INCOMPLETE = 3, 5  # exit codes


@dataclass(frozen=True)
class NestedRun:
    """Results to store as a run nested in another one.

    Args:
        history: (time, metrics) of each epoch or fold; steps count from 1.
        metrics: logged once, without a step.
        files: contents by artifact path.
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
    error: str = ""


def log_nested_run(parent: Run, result: NestedRun) -> None:
    """Store a nested run; it is FINISHED only after all of it is stored."""
    error = {names.TAG_ERROR: result.error[:TAG_LENGTH]} if result.error else {}
    ended = int(1000 * result.ended)
    points = [
        (name, round_metric(value), int(1000 * at), step)
        for step, (at, row) in enumerate(result.history, start=1)
        for name, value in row.items()
    ]
    points += [
        (name, round_metric(value), ended, 0) for name, value in (result.metrics or {}).items()
    ]
    with signals_deferred():  # so that no run stays open
        parent.writer.put(
            "nested",
            file_writer(result.files or {}),
            token=uuid.uuid4().hex,
            name=result.name,
            params=dict(result.params),
            tags={**parent.nested_tags(), **result.tags, **error},
            metrics=points,
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


def run_step(
    step: Step, parent: Run, digest: str = "", progress: Progress | None = None
) -> FinishedStep:
    """Run an entry point as a process whose run is nested in `parent`.

    Args:
        digest: reuse a finished run with this configuration digest; empty: run it in any case.
        progress: of all steps; one more part is done afterwards.

    Raises:
        WorkFailed: the process failed, or left no finished run.
    """
    start = time.perf_counter()
    if digest and (earlier := search.finished_runs(step.entry_point, digest)):
        print(f"\n{step.name}: already done in run {earlier[0].run_id}", flush=True)
        if progress:
            progress.skip()
        return _finish(step, earlier[0], start, was_skipped=True)
    print(f"\n{step.name}{f' ({progress.describe()})' if progress else ''}", flush=True)
    with current_console().paused():
        code = run_subprocess(step.command, parent.child_environment())
    if progress:
        progress.update(progress.done + 1)
    if code == _TRACKING_INCOMPLETE:
        raise WorkFailed(
            f"step `{step.name}` is finished, but some records have not been uploaded; when the "
            "tracking server is available, the same command uploads them and continues"
        )
    if code not in (0, _DRIFT_ALARM):
        raise WorkFailed(
            f"step `{step.name}` failed with exit code {code}, see its message above; earlier "
            "steps are kept, and the same command continues from there"
        )
    runs = [run for run in search.nested_runs(parent.run_id, step.entry_point) if run.is_finished]
    if not runs:
        raise WorkFailed(f"step `{step.name}` left no run in the experiment of the study")
    Run(parent.client, runs[0].run_id).set_tags(step.tags)
    return _finish(step, runs[0], start, was_skipped=False)


def _finish(step: Step, run: RunRecord, start: float, *, was_skipped: bool) -> FinishedStep:
    return FinishedStep(
        step=step,
        run_id=run.run_id,
        metrics=run.metrics,
        description=run.tags.get(names.TAG_NOTE, ""),
        alarm=run.tags.get(names.TAG_ALARM, ""),
        seconds=time.perf_counter() - start,
        was_skipped=was_skipped,
    )
