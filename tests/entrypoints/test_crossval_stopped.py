"""The command of an interrupted cross-validation completes it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import psutil
import pytest
from mlflow.entities import Run

from fmnist import names
from tests.helpers.project_runs import OPTIONS, ProjectRuns
from tests.helpers.workspace import (
    TIMEOUT_SECONDS,
    Workspace,
    reproducible_metrics,
    wait_until_ended,
)

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SHORT = OPTIONS["crossval"] | {"workers": 1}
LONG = {"folds": 2, "epochs": 5000, "train_size": 400}


def wait_for_workers(
    workspace: Workspace, process: "subprocess.Popen[bytes]"
) -> list[psutil.Process]:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        assert process.poll() is None, workspace.output.read_text()
        assert time.monotonic() < deadline, workspace.output.read_text()
        workers = []
        for child in psutil.Process(process.pid).children():
            with suppress(psutil.NoSuchProcess):  # ended in the meantime
                if "popen_loky" in " ".join(child.cmdline()):
                    workers.append(child)
        if workers:
            return workers
        time.sleep(0.05)


def reap(workspace: Workspace, *more: str) -> str:
    return workspace.execute([sys.executable, "-m", "fmnist", "reap", *more]).stdout


def finished_folds(workspace: Workspace) -> dict[str, str]:
    """Run ids of the finished folds, by fold."""
    finished = [run for run in workspace.runs("fold") if run.info.status == "FINISHED"]
    folds = [run.data.params[names.FOLD] for run in finished]
    assert len(set(folds)) == len(folds), "a fold was trained twice"
    return {run.data.params[names.FOLD]: run.info.run_id for run in finished}


def metrics_of_folds(workspace: Workspace, parent: Run) -> dict[str, dict[str, float]]:
    """The reproducible metrics of the finished folds and, under "parent", of the parent."""
    finished = [run for run in workspace.children(parent) if run.info.status == "FINISHED"]
    metrics = {run.data.params[names.FOLD]: reproducible_metrics(run) for run in finished}
    return metrics | {"parent": reproducible_metrics(parent)}


def test_kill_9_at_random_moments(workspace: Workspace, project_runs: ProjectRuns) -> None:
    undisturbed = project_runs.get("crossval")
    seed = int(time.time())
    print(f"the moments follow from seed {seed}")
    rng = np.random.default_rng(seed)
    command = workspace.script("crossval", **SHORT)

    # Kill the parent after its first fold: its workers end, too.
    process = workspace.paused_after("(1 of 3").start(command)
    workspace.wait_for_output(process, "fold 1: ")
    workers = wait_for_workers(workspace, process)
    time.sleep(rng.uniform(0, 3))
    process.kill()
    process.wait()
    wait_until_ended(workers)
    before = finished_folds(workspace)
    assert before.keys() == {"1"}

    # Nothing has closed the run. `reap` first says what it would do.
    [parent] = workspace.runs("crossval")
    run_id = parent.info.run_id
    assert parent.info.status == "RUNNING"
    assert f"would end crossval {run_id}" in reap(workspace)
    assert workspace.runs("crossval")[0].info.status == "RUNNING"
    reap(workspace, "--really")
    assert workspace.runs("crossval")[0].info.status == "KILLED"
    assert "RUNNING" not in {run.info.status for run in workspace.runs()}

    # Kill the parent and its workers.
    process = workspace.paused_after("(3 of 3)").start(command)
    time.sleep(rng.uniform(1, 12))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    after = finished_folds(workspace)
    assert after.items() >= before.items()

    # Kill one worker, if any is still needed.
    process = workspace.start(command)
    if len(after) < 3:
        [*_, last] = wait_for_workers(workspace, process)
        time.sleep(rng.uniform(0, 5))
        with suppress(psutil.NoSuchProcess):
            last.kill()
    workspace.wait(process)
    finished = finished_folds(workspace)
    assert finished.keys() == {"1", "2", "3"}
    assert finished.items() >= after.items()
    [parent] = workspace.runs("crossval")
    assert (parent.info.run_id, parent.info.status) == (run_id, "FINISHED")
    assert names.TAG_ERROR not in parent.data.tags
    assert {run.info.status for run in workspace.runs()} <= {"FINISHED", "KILLED"}
    assert metrics_of_folds(workspace, parent) == metrics_of_folds(*undisturbed[:2])

    # The next start of a schedule has nothing to do.
    next_start = workspace.execute([*command, "--if_done", "skip", "--done_within_hours", "20"])
    assert run_id in next_start.stdout
    assert len(workspace.runs("crossval")) == 1


def test_two_starts_at_once_then_sigterm(workspace: Workspace) -> None:
    command = workspace.script("crossval", **LONG)
    first = workspace.start(command)
    workers = wait_for_workers(workspace, first)
    second = workspace.execute(command)
    assert f"nothing to do: process {first.pid} is already running" in second.stdout
    first.terminate()
    workspace.wait(first, 128 + signal.SIGTERM)
    wait_until_ended(workers)
    assert [run.info.status for run in workspace.runs()] == ["KILLED"]


def test_time_limit_ends_the_workers(workspace: Workspace) -> None:
    """The limit may be reached in any phase; on an idle machine while training."""
    process = workspace.start(workspace.script("crossval", **LONG, timeout_minutes=0.25))
    processes: set[psutil.Process] = set()
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            processes |= set(psutil.Process(process.pid).children(recursive=True))
        time.sleep(0.1)
    printed = workspace.wait(process, 128 + signal.SIGTERM)
    assert printed.rstrip().endswith("timeout_minutes=0.25 is over")
    wait_until_ended(processes)
    for run in workspace.runs():
        assert run.info.status == "KILLED"
        assert run.data.tags[names.TAG_ERROR] == "Interrupted: timeout_minutes=0.25 is over"


def test_kill_9_of_mlflow_run_and_a_damaged_fold(workspace: Workspace) -> None:
    """The death of `mlflow run` interrupts its entry point; `resume=ID` completes that run."""
    launcher = workspace.paused_after("(1 of 3").start(workspace.project("crossval", **SHORT))
    workspace.wait_for_output(launcher, "fold 1: ")
    processes = psutil.Process(launcher.pid).children(recursive=True)
    assert any("popen_loky" in " ".join(process.cmdline()) for process in processes)
    launcher.kill()
    launcher.wait()
    wait_until_ended(processes)
    [parent] = workspace.runs("crossval")
    assert parent.info.status == "KILLED"
    assert parent.data.tags[names.TAG_ERROR] == "Interrupted: stopped by signal 15"
    assert "0 orphaned runs" in reap(workspace)
    assert "RUNNING" not in {run.info.status for run in workspace.runs()}

    first = finished_folds(workspace)["1"]
    for path in workspace.folder.rglob(f"{first}/artifacts/predictions/fold.parquet"):
        path.write_bytes(path.read_bytes()[:100])
    done = workspace.execute(workspace.project("crossval", **SHORT, resume=parent.info.run_id))
    assert "fold 1 is trained again" in done.stdout
    [empty] = [run for run in workspace.runs() if names.TAG_CONTINUED_IN in run.data.tags]
    assert empty.data.tags[names.TAG_CONTINUED_IN] == parent.info.run_id
    assert empty.info.status == "FINISHED"
    [resumed] = workspace.runs("crossval")
    assert (resumed.info.run_id, resumed.info.status) == (parent.info.run_id, "FINISHED")
