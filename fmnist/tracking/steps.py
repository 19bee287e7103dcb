"""A step of a study: taken from the store, or done by a process of its own as a nested run."""

import time

from mlflow.entities import Run as StoredRun

from fmnist import names
from fmnist.errors import WorkFailed
from fmnist.results.study import Done, Step
from fmnist.system.signals import run_subprocess
from fmnist.tracking import search
from fmnist.tracking.run import Run

_DRIFT_ALARM, _TRACKING_INCOMPLETE = 3, 5


def finish(step: Step, tracked: Run, digest: str = "") -> Done:
    """The step's finished run, which has this configuration digest.

    Args:
        tracked: the run of the study.
        digest: take an earlier run of this configuration, if there is one; empty: do it anew.

    Raises:
        WorkFailed: the step's process ended otherwise than well, or without a finished run.
    """
    started = time.perf_counter()
    if earlier := search.done(step.entry, digest) if digest else []:
        print(f"step {step.name}: done before, in run {earlier[0].info.run_id}", flush=True)
        return _done(step, earlier[0], started, skipped=True)
    print(f"\nstep {step.name}", flush=True)
    code = run_subprocess(step.command, tracked.environment_of_steps())
    if code == _TRACKING_INCOMPLETE:
        raise WorkFailed(
            f"the step `{step.name}` is done, but the tracking server has not got all of it; once "
            "it is back, the same command completes that step and goes on from there"
        )
    if code not in (0, _DRIFT_ALARM):
        raise WorkFailed(
            f"the step `{step.name}` ended with exit code {code}, its own message stands above; "
            "steps before it are kept, the same command goes on from there"
        )
    if not (runs := search.nested(tracked.run_id, step.entry)):
        raise WorkFailed(f"the step `{step.name}` has left no run in the study's experiment")
    Run(tracked.client, runs[0].info.run_id).set_tags(step.tags)
    return _done(step, runs[0], started, skipped=False)


def _done(step: Step, run: StoredRun, started: float, *, skipped: bool) -> Done:
    return Done(
        step=step,
        run_id=run.info.run_id,
        metrics=run.data.metrics,
        note=run.data.tags.get(names.TAG_NOTE, ""),
        alarm=run.data.tags.get(names.TAG_ALARM, ""),
        seconds=time.perf_counter() - started,
        skipped=skipped,
    )
