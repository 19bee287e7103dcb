"""A training resumes the newest unfinished run on this machine that has the same configuration."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from fmnist import names
from fmnist.errors import BadInput
from fmnist.options import Train, configuration
from fmnist.system.identity import this_process
from fmnist.system.locks import lock_directory
from fmnist.training import resume
from fmnist.training.checkpoints import Checkpoints
from fmnist.training.resume import checkpoint_root

pytestmark = pytest.mark.faults

DATA = "0" * 32
CreateRun = Callable[..., str]


@pytest.fixture(autouse=True)
def _checkpoint_dir(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(names.CHECKPOINT_DIR, str(tmp_path / "checkpoints"))


@pytest.fixture
def create_run(client: MlflowClient) -> CreateRun:
    """Creates a run with a checkpoint after each of its epochs, and returns its id."""

    def create(
        options: Train | None = None, status: str = "KILLED", epochs: int = 1, **changes: object
    ) -> str:
        made = replace(configuration(options or Train(), DATA), **changes)
        tags = {names.TAG_KIND: "train", names.TAG_CONFIG_DIGEST: made.digest}
        run_id: str = client.create_run("0", tags=tags).info.run_id
        client.update_run(run_id, status)
        folder = resume.create_checkpoint_dir(run_id, made)
        if epochs:
            rows = [{names.TRAIN_LOSS: 1.0}] * epochs
            Checkpoints(folder / "whole").save({"a": np.zeros(3)}, rows)
        return run_id

    return create


def find(data: str = DATA, **options: object) -> resume.ResumeState:
    train = Train(**options)
    return resume.find_resume_state(train, configuration(train, data))


def test_auto_resumes_the_newest_suitable_run(client: MlflowClient, create_run: CreateRun) -> None:
    assert find().run_id is None
    create_run()
    expected = create_run(status="FAILED")
    create_run(status="FINISHED")
    create_run(epochs=0)
    create_run(Train(seed=1))
    create_run(libraries={"tensorflow": "2.0.0"})
    running = create_run(status="RUNNING")
    client.set_tag(running, names.TAG_PROCESS, this_process())
    state = find(register_as="other")
    assert state.run_id == expected
    assert state.checkpoint_dir(expected) == checkpoint_root() / expected
    assert state.tags == configuration(Train(), DATA).tags


def test_a_run_that_another_process_trains_is_not_resumed(create_run: CreateRun) -> None:
    run_id = create_run()
    descriptor = lock_directory(checkpoint_root() / run_id)
    assert find().run_id is None
    with pytest.raises(BadInput, match=f"resume={run_id}: another process"):
        find(resume=run_id)
    os.close(descriptor)
    assert find().run_id == run_id


def test_off_starts_a_new_run(create_run: CreateRun) -> None:
    create_run()
    assert find(resume="off").run_id is None
    state = find(checkpoints="off")
    assert (state.run_id, state.checkpoint_dir("1" * 32)) == (None, None)


def test_a_finished_run_leaves_no_checkpoints(client: MlflowClient) -> None:
    state = find()
    assert state.checkpoint_dir("2" * 32) == checkpoint_root() / ("2" * 32)
    state.remove_checkpoints()
    assert list(checkpoint_root().iterdir()) == []


@pytest.mark.parametrize(
    ("stored", "requested", "difference"),
    [
        ({}, {"learning_rate": 0.01}, "learning_rate=0.001, got learning_rate=0.01"),
        ({}, {"recipe": "strong"}, "normalize=off, got normalize=on"),
        ({}, {"data": "1" * 32}, f"data={DATA}, got data={'1' * 32}"),
        ({"code": "older"}, {}, "code=older, got code="),
        # Optimizer variables are stored by position, which may differ between versions.
        ({"libraries": {"keras": "3.0.0"}}, {}, r"keras=3\.0\.0, got keras="),
    ],
)
def test_another_configuration_is_not_resumed(
    create_run: CreateRun, stored: dict, requested: dict, difference: str
) -> None:
    run_id = create_run(**stored)
    with pytest.raises(BadInput, match=f"resume={run_id}: that run has {difference}"):
        find(resume=run_id, **requested)


def test_a_run_that_cannot_be_resumed_is_rejected(create_run: CreateRun) -> None:
    for run_id in ("3" * 32, create_run(epochs=0)):
        with pytest.raises(BadInput, match="no checkpoint of that run"):
            find(resume=run_id)
    with pytest.raises(BadInput, match="FINISHED"):
        find(resume=create_run(status="FINISHED"))
    with pytest.raises(BadInput, match="checkpoints=off"):
        find(resume="3" * 32, checkpoints="off")


def test_another_machine_gives_a_warning(create_run: CreateRun, monkeypatch, capsys) -> None:
    with monkeypatch.context() as context:
        machine = {**resume.describe_machine(), "host": "elsewhere", "cores": "many"}
        context.setattr(resume, "describe_machine", lambda: machine)
        run_id = create_run()
    warning = find(resume=run_id).tags[names.TAG_RESUMED_WITH]
    assert f"train: warning: {warning}" in capsys.readouterr().err
    assert "host elsewhere, now " in warning
    assert "cores many, now " in warning
    assert "processor" not in warning


def test_training_continues_without_a_writable_directory(
    client: MlflowClient, tmp_path: Path, capsys
) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    assert find().checkpoint_dir("4" * 32) is None
    assert "continues without checkpoints" in capsys.readouterr().out


def test_checkpoints_are_removed_after_a_month(create_run: CreateRun) -> None:
    old, recent, locked = (create_run(Train(seed=seed)) for seed in (1, 2, 3))
    descriptor = lock_directory(checkpoint_root() / locked)
    month_ago = time.time() - 31 * 24 * 3600
    for run_id in (old, locked):
        folder = checkpoint_root() / run_id
        for path in (folder, *folder.iterdir()):
            os.utime(path, (month_ago, month_ago))
    os.utime(checkpoint_root() / recent, (month_ago, month_ago))  # its epochs are newer
    find()
    assert {path.name for path in checkpoint_root().iterdir()} == {recent, locked}
    os.close(descriptor)
