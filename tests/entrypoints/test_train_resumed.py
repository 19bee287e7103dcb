"""The command of an interrupted training completes it with the result of an undisturbed one."""

import signal
import sys

import pandas as pd
import pytest
from mlflow.entities import Run

from fmnist import names
from tests.helpers.workspace import Workspace, read_table, reproducible_metrics

pytestmark = [pytest.mark.faults, pytest.mark.slow]

OPTIONS = {"epochs": 3, "dropout": 0.4, "recipe": "strong", "register_as": "small"}

# Code that the command runs first.
KILL_BEFORE_EPOCH_2_IS_LOGGED = """
from fmnist.tracking.run import Run
log = Run.log_epoch
Run.log_epoch = lambda run, epoch, metrics: die() if epoch == 2 else log(run, epoch, metrics)
"""
KILL_WHILE_THE_MODEL_IS_STORED = """
from fmnist.tracking.offline.delivery import Delivery
Delivery._check_stored_files = die
"""
NO_DISK_FOR_THE_MODEL = """
import mlflow, resource
save = mlflow.keras.save_model
def full(*arguments, **options):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        save(*arguments, **options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
mlflow.keras.save_model = full
"""
PRINT_WHETHER_TENSORFLOW_WAS_IMPORTED = """
import atexit
atexit.register(lambda: print("tensorflow" in sys.modules))
"""
FAULTY = """
import os, runpy, signal, sys
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
{fault}
runpy.run_module("entrypoints.train", run_name="__main__")
"""


def faulty(workspace: Workspace, fault: str, **options: object) -> list[str]:
    _, _, _, *words = workspace.script("train", **OPTIONS | options)
    return [sys.executable, "-c", FAULTY.format(fault=fault), *words]


def only_run(workspace: Workspace) -> Run:
    [run] = workspace.runs()
    return run


def predictions(workspace: Workspace) -> pd.DataFrame:
    return read_table(workspace.artifacts(only_run(workspace)), names.PREDICTIONS_TEST)


def test_resume_after_each_kind_of_interruption(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    undisturbed = Workspace(tmp_path_factory.mktemp("undisturbed"), workspace.data_dir)
    undisturbed.execute(undisturbed.script("train", **OPTIONS))
    assert list(undisturbed.checkpoints.iterdir()) == []

    # kill -9 after the second epoch: it is in a checkpoint, but not in the store.
    workspace.execute(faulty(workspace, KILL_BEFORE_EPOCH_2_IS_LOGGED), -signal.SIGKILL)
    run_id = only_run(workspace).info.run_id
    kept = workspace.checkpoints / run_id / "whole"
    assert {path.name for path in kept.iterdir()} == {"000001", "000002"}

    # Another configuration cannot resume it; TensorFlow is not imported to find out.
    other = {"resume": run_id, "learning_rate": 0.01}
    done = workspace.execute(faulty(workspace, PRINT_WHETHER_TENSORFLOW_WAS_IMPORTED, **other), 2)
    assert done.stdout.split()[-1] == "False"
    assert f"resume={run_id}: that run has learning_rate=0.001" in done.stderr

    # The disk is full when the model is saved.
    done = workspace.execute(faulty(workspace, NO_DISK_FOR_THE_MODEL, resume=run_id), 1)
    assert f"resuming run {run_id}" in done.stdout
    assert "resuming after epoch 2/3" in done.stdout
    assert "epoch 3/3  loss" in done.stdout
    assert done.stderr.splitlines()[-1].startswith("train: failed: "), done.stderr
    assert only_run(workspace).info.status == "FAILED"

    # kill -9 while the model is uploaded: it cannot be registered.
    workspace.execute(faulty(workspace, KILL_WHILE_THE_MODEL_IS_STORED), -signal.SIGKILL)
    [incomplete] = workspace.client.search_logged_models(["0"])
    assert incomplete.status == "PENDING"
    assert workspace.client.search_registered_models() == []

    done = workspace.execute(workspace.script("train", **OPTIONS))
    assert "resuming after epoch 3/3" in done.stdout
    assert "epoch 3/3  loss" not in done.stdout, "an epoch was trained again"
    assert list(workspace.checkpoints.iterdir()) == []
    run = only_run(workspace)
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
    assert names.TAG_ERROR not in run.data.tags
    for name in run.data.metrics:
        steps = [metric.step for metric in workspace.client.get_metric_history(run_id, name)]
        if not name.startswith(names.MACHINE):
            assert steps == ([1, 2, 3] if 3 in steps else [0]), name
    assert reproducible_metrics(run) == reproducible_metrics(only_run(undisturbed))
    pd.testing.assert_frame_equal(
        predictions(workspace), predictions(undisturbed), check_exact=True
    )
    [model] = workspace.client.search_logged_models(["0"])
    assert (model.model_id, model.status) == (incomplete.model_id, "READY")
    [version] = workspace.client.search_model_versions("name='small'")
    assert version.run_id == run_id
