"""A cross-validation that is killed at any moment is completed by the same command."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import psutil
import pytest

from fmnist import names
from tests.entrypoints.conftest import SECONDS, Bench
from tests.entrypoints.crossval_bench import (
    FOLDS,
    OPTIONS,
    children_of,
    numbers,
    parent_of,
    parents,
)

pytestmark = [pytest.mark.faults, pytest.mark.slow]

LONG = {"folds": 2, "epochs": 5000, "train_size": 400}


def workers_of(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    found = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):  # ended meanwhile
            if "popen_loky" in " ".join(child.cmdline()):
                found.append(child)
    return found


def wait_for_workers(bench: Bench, process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    stop = time.monotonic() + SECONDS
    while True:
        assert process.poll() is None, bench.output.read_text()
        assert time.monotonic() < stop, bench.output.read_text()
        if found := workers_of(process):
            return found
        time.sleep(0.05)


def reap(bench: Bench, *more: str) -> str:
    done = bench.finish([sys.executable, "-m", "fmnist", "reap", *more])
    assert done.returncode == 0, done.stderr
    return done.stdout


def stored(bench: Bench) -> dict[str, str]:
    """The finished folds of the store: run id by fold."""
    finished = [
        run
        for run in bench.runs()
        if run.data.tags.get(names.TAG_KIND) == "fold" and run.info.status == "FINISHED"
    ]
    folds = [run.data.params[names.FOLD] for run in finished]
    assert len(set(folds)) == len(folds), "a fold was trained twice"
    return {run.data.params[names.FOLD]: run.info.run_id for run in finished}


def test_kill_9_at_random_moments(bench: Bench, crossvalidated: Bench) -> None:
    seed = int(time.time())
    print(f"moments from seed {seed}")
    draw = np.random.default_rng(seed)
    command = bench.python("crossval", **OPTIONS, workers=1)

    # The parent, after its first fold: its workers die with it.
    process = bench.start(command)
    bench.wait_for(process, "fold 1: ")
    workers = wait_for_workers(bench, process)
    time.sleep(draw.uniform(0, 3))
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
    before = stored(bench)
    assert before.keys() >= {"1"}

    # Nobody closed it: told first, then ended.
    run_id = parent_of(bench).info.run_id
    assert parent_of(bench).info.status == "RUNNING"
    assert f"would end crossval {run_id}" in reap(bench)
    assert parent_of(bench).info.status == "RUNNING"
    reap(bench, "--really")
    assert parent_of(bench).info.status == "KILLED"
    assert "RUNNING" not in {run.info.status for run in bench.runs()}

    # Everything at once.
    process = bench.start(command)
    time.sleep(draw.uniform(1, 12))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    after = stored(bench)
    assert after.items() >= before.items()

    # A worker, if any is still needed: the run goes on and ends well.
    process = bench.start(command)
    if len(after) < FOLDS:
        [*_, last] = wait_for_workers(bench, process)
        time.sleep(draw.uniform(0, 5))
        last.kill()
    assert process.wait(timeout=180) == 0, bench.output.read_text()
    finished = stored(bench)
    assert finished.keys() == {"1", "2", "3"}
    assert finished.items() >= after.items()
    [parent] = parents(bench)
    assert (parent.info.run_id, parent.info.status) == (run_id, "FINISHED")
    assert names.TAG_ERROR not in parent.data.tags
    assert {run.info.status for run in bench.runs()} <= {"FINISHED", "KILLED"}
    assert numbers(bench, parent) == numbers(crossvalidated, parent_of(crossvalidated))

    # That was the one catch-up; the next start of a schedule finds nothing to do.
    next_start = bench.finish([*command, "--if_done", "skip", "--done_within_hours", "20"])
    assert next_start.returncode == 0, next_start.stderr
    assert f"nothing to do: run {run_id} has the same configuration" in next_start.stdout
    assert len(parents(bench)) == 1


def test_two_starts_at_once_then_sigterm(bench: Bench) -> None:
    command = bench.python("crossval", **LONG)
    first = bench.start(command)
    workers = wait_for_workers(bench, first)
    second = bench.finish(command)
    assert second.returncode == 0, second.stderr
    assert f"nothing to do: process {first.pid} is already running" in second.stdout
    first.terminate()
    assert first.wait(timeout=SECONDS) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(workers, timeout=SECONDS)
    assert alive == []
    assert [run.info.status for run in bench.runs()] == ["KILLED"]


def test_a_time_limit_ends_it_with_its_workers(bench: Bench) -> None:
    """Whatever it is at by then; on a machine that does nothing else, training."""
    process = bench.start(bench.python("crossval", **LONG, timeout_minutes=0.25))
    below: set[psutil.Process] = set()
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            below |= set(psutil.Process(process.pid).children(recursive=True))
        time.sleep(0.1)
    assert process.returncode == 128 + signal.SIGTERM
    assert bench.output.read_text().rstrip().endswith("timeout_minutes=0.25 is over")
    _, alive = psutil.wait_procs(below, timeout=SECONDS)
    assert alive == []
    for run in bench.runs():
        assert run.info.status == "KILLED"
        assert run.data.tags[names.TAG_ERROR] == "Interrupted: timeout_minutes=0.25 is over"


def test_kill_9_of_mlflow_run_and_a_damaged_fold(bench: Bench) -> None:
    """The entry under `mlflow run` is told by SIGTERM; completed by the run's id, the run that
    MLflow made points there.
    """
    launcher = bench.start(bench.mlflow("crossval", **OPTIONS, workers=1))
    bench.wait_for(launcher, "fold 1: ")
    below = psutil.Process(launcher.pid).children(recursive=True)
    assert any("popen_loky" in " ".join(process.cmdline()) for process in below)
    launcher.kill()
    launcher.wait()
    _, alive = psutil.wait_procs(below, timeout=60)
    assert alive == []
    [parent] = parents(bench)
    assert parent.info.status == "KILLED"
    assert parent.data.tags[names.TAG_ERROR] == "Interrupted: stopped by signal 15"
    assert "0 stale runs" in reap(bench)
    assert "RUNNING" not in {run.info.status for run in bench.runs()}

    first = children_of(bench, parent)[0]
    for path in bench.folder.rglob(f"{first.info.run_id}/artifacts/predictions/fold.parquet"):
        path.write_bytes(path.read_bytes()[:100])
    done = bench.finish(bench.mlflow("crossval", **OPTIONS, resume=parent.info.run_id))
    assert done.returncode == 0, done.stderr
    assert "fold 1 is trained again" in done.stdout
    [empty] = [run for run in bench.runs() if names.TAG_CONTINUED_IN in run.data.tags]
    assert empty.data.tags[names.TAG_CONTINUED_IN] == parent.info.run_id
    assert empty.info.status == "FINISHED"
    assert parent_of(bench).info.status == "FINISHED"
    assert [run.info.run_id for run in parents(bench)] == [parent.info.run_id]
