"""A run that is stopped ends KILLED, with the signal's exit code, and leaves no process behind."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from fmnist import names
from tests.helpers.workspace import TIMEOUT_SECONDS, Workspace, wait_until_ended

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
def launch(workspace: Workspace) -> Callable[..., tuple["subprocess.Popen[bytes]", psutil.Process]]:
    """Start `mlflow run -e train` and wait for an output; return its process and the entry's."""

    def start(output: str = "epoch 2/") -> tuple["subprocess.Popen[bytes]", psutil.Process]:
        launcher = workspace.start(workspace.project("train", epochs=5000))
        workspace.wait_for_output(launcher, output)
        while not (children := psutil.Process(launcher.pid).children(recursive=True)):
            time.sleep(0.01)
        return launcher, children[-1]

    return start


def assert_killed(workspace: Workspace, signum: int) -> None:
    [run] = workspace.runs()
    assert run.info.status == "KILLED"
    assert run.info.end_time is not None
    assert run.data.tags[names.TAG_ERROR] == f"Interrupted: stopped by signal {signum}"


def test_signal_to_the_script(workspace: Workspace) -> None:
    """The same command resumes the run, here on another machine."""
    command = workspace.script("train", epochs=5000)
    for signum, text in (
        (signal.SIGTERM, "epoch 2/"),
        (signal.SIGINT, "from a checkpoint\nepoch "),
    ):
        process = workspace.start(command)
        workspace.wait_for_output(process, text)
        process.send_signal(signum)
        printed = workspace.wait(process, 128 + signum)
        assert printed.rstrip().endswith(f"train: stopped by signal {signum}")
        assert_killed(workspace, signum)
        [run] = workspace.runs()
        about = workspace.checkpoints / run.info.run_id / "about.json"
        record = json.loads(about.read_text())
        record["machine"]["host"] = "elsewhere"
        about.write_text(json.dumps(record))
    warning = f"run {run.info.run_id} was started on another machine (host elsewhere, now "
    assert f"train: warning: {warning}" in printed
    assert run.data.tags[names.TAG_RESUMED_WITH].startswith(warning)
    losses = workspace.client.get_metric_history(run.info.run_id, names.TRAIN_LOSS)
    assert [metric.step for metric in losses] == list(range(1, len(losses) + 1))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_mlflow_run(workspace: Workspace, launch: Callable, signum: int) -> None:
    launcher, entry = launch()
    launcher.send_signal(signum)
    launcher.wait(timeout=TIMEOUT_SECONDS)
    wait_until_ended([entry])
    assert_killed(workspace, signal.SIGTERM)


def test_sigterm_to_mlflow_run_before_the_work_begins(
    workspace: Workspace, launch: Callable
) -> None:
    """The entry point is still importing packages, and the run exists."""
    launcher, entry = launch("Running command")
    status = Path(f"/proc/{entry.pid}/status")
    while not any(  # until the process handles the signal
        line.startswith("SigCgt") and int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1
        for line in status.read_text().splitlines()
    ):
        time.sleep(0.01)
    launcher.terminate()
    launcher.wait(timeout=TIMEOUT_SECONDS)
    wait_until_ended([entry])
    assert_killed(workspace, signal.SIGTERM)


def test_sigterm_to_the_entry_under_mlflow_run(workspace: Workspace, launch: Callable) -> None:
    launcher, entry = launch()
    entry.terminate()
    workspace.wait(launcher, -signal.SIGTERM)
    assert_killed(workspace, signal.SIGTERM)


def test_kill_9_of_the_entry_under_mlflow_run(workspace: Workspace, launch: Callable) -> None:
    """The launcher marks the run."""
    launcher, entry = launch("epoch 3/")
    entry.kill()
    workspace.wait(launcher, 1)
    [run] = workspace.runs()
    assert run.info.status == "FAILED"
    assert len(workspace.client.get_metric_history(run.info.run_id, names.VAL_LOSS)) >= 2


def test_control_c(workspace: Workspace, launch: Callable) -> None:
    launcher, entry = launch()
    os.killpg(launcher.pid, signal.SIGINT)
    wait_until_ended([entry])
    assert launcher.wait(timeout=TIMEOUT_SECONDS) != 0
    assert workspace.runs()[0].info.status == "KILLED"
