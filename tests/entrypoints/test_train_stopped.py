"""A run that is stopped ends KILLED, with the signal's exit code, and leaves no process behind."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from fmnist import names
from tests.helpers.workspace import TIMEOUT_SECONDS, Workspace

pytestmark = [pytest.mark.faults, pytest.mark.slow]

LONG = {"epochs": 5000}


def entry_of(launcher: "subprocess.Popen[bytes]") -> psutil.Process:
    """The process of the entry point under `mlflow run`."""
    return psutil.Process(launcher.pid).children(recursive=True)[-1]


def assert_killed(workspace: Workspace, signum: int) -> None:
    [run] = workspace.runs()
    assert run.info.status == "KILLED"
    assert run.info.end_time is not None
    assert run.data.tags[names.TAG_ERROR] == f"Interrupted: stopped by signal {signum}"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_the_script(workspace: Workspace, signum: int) -> None:
    process = workspace.start(workspace.script("train", **LONG))
    workspace.wait_for_output(process, "epoch 2/")
    process.send_signal(signum)
    assert process.wait(timeout=TIMEOUT_SECONDS) == 128 + signum
    assert workspace.output.read_text().rstrip().endswith(f"train: stopped by signal {signum}")
    assert_killed(workspace, signum)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_mlflow_run(workspace: Workspace, signum: int) -> None:
    launcher = workspace.start(workspace.project("train", **LONG))
    workspace.wait_for_output(launcher, "epoch 2/")
    entry = entry_of(launcher)
    launcher.send_signal(signum)
    launcher.wait(timeout=TIMEOUT_SECONDS)
    entry.wait(timeout=TIMEOUT_SECONDS)
    assert_killed(workspace, signal.SIGTERM)


def test_sigterm_to_the_entry_under_mlflow_run(workspace: Workspace) -> None:
    launcher = workspace.start(workspace.project("train", **LONG))
    workspace.wait_for_output(launcher, "epoch 2/")
    entry_of(launcher).terminate()
    assert launcher.wait(timeout=TIMEOUT_SECONDS) == -signal.SIGTERM
    assert_killed(workspace, signal.SIGTERM)


def test_kill_9_of_the_entry_under_mlflow_run(workspace: Workspace) -> None:
    """The launcher marks the run."""
    launcher = workspace.start(workspace.project("train", **LONG))
    workspace.wait_for_output(launcher, "epoch 3/")
    entry_of(launcher).kill()
    assert launcher.wait(timeout=TIMEOUT_SECONDS) == 1
    [run] = workspace.runs()
    assert run.info.status == "FAILED"
    assert len(workspace.client.get_metric_history(run.info.run_id, names.VAL_LOSS)) >= 2


def test_sigterm_to_mlflow_run_before_the_work_begins(workspace: Workspace) -> None:
    """The entry point is still importing packages, and the run exists."""
    launcher = workspace.start(workspace.project("train", **LONG))
    workspace.wait_for_output(launcher, "Running command")
    while not (children := psutil.Process(launcher.pid).children(recursive=True)):
        time.sleep(0.01)
    while not any(  # until the process handles the signal
        line.startswith("SigCgt") and int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1
        for line in Path(f"/proc/{children[-1].pid}/status").read_text().splitlines()
    ):
        time.sleep(0.01)
    launcher.terminate()
    launcher.wait(timeout=TIMEOUT_SECONDS)
    children[-1].wait(timeout=TIMEOUT_SECONDS)
    assert_killed(workspace, signal.SIGTERM)


def test_control_c(workspace: Workspace) -> None:
    launcher = workspace.start(workspace.project("train", **LONG))
    workspace.wait_for_output(launcher, "epoch 2/")
    entry = entry_of(launcher)
    os.killpg(launcher.pid, signal.SIGINT)
    entry.wait(timeout=TIMEOUT_SECONDS)
    assert launcher.wait(timeout=TIMEOUT_SECONDS) != 0
    assert workspace.runs()[0].info.status == "KILLED"
