"""A training goes on with the newest run that is unfinished, here, and of the same result."""

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
from fmnist.options import Configuration, Train, configuration
from fmnist.system.locks import lock_directory
from fmnist.tracking.orphans import this_process
from fmnist.training import checkpoint_dirs as places
from fmnist.training import resume
from fmnist.training.checkpoints import Checkpoint, Checkpoints

pytestmark = pytest.mark.faults

DATA = "0" * 32


@pytest.fixture(autouse=True)
def _checkpoint_dir(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(names.CHECKPOINT_DIR, str(tmp_path / "checkpoints"))


Killed = Callable[..., str]


@pytest.fixture
def killed(client: MlflowClient) -> Killed:
    """Makes a run of these options that ended so, with a checkpoint after an epoch, or after none;
    gives its id.
    """

    def make(options: Train, status: str = "KILLED", epochs: int = 1, **changes: object) -> str:
        made = replace(configuration(options, DATA), **changes)
        tags = {names.TAG_KIND: "train", names.TAG_CONFIG_DIGEST: made.digest}
        run_id: str = client.create_run("0", tags=tags).info.run_id
        client.update_run(run_id, status)
        place = places.begin(run_id, made)
        if epochs:
            rows = [{names.TRAIN_LOSS: 1.0}] * epochs
            Checkpoints(place.folder / "whole").keep(Checkpoint({"a": np.zeros(3)}, rows))
        return run_id

    return make


def found(**options: object) -> resume.Resumption:
    asked = Train(**options)
    return resume.find(asked, configuration(asked, DATA))


def test_auto_takes_the_newest_that_can_go_on(client: MlflowClient, killed: Killed) -> None:
    assert found().run_id is None
    killed(Train())
    wanted = killed(Train(), "FAILED")
    killed(Train(), "FINISHED")
    killed(Train(), epochs=0)
    killed(Train(seed=1))
    killed(Train(), libraries={"tensorflow": "2.0.0"})
    at_work = killed(Train(), "RUNNING")
    client.set_tag(at_work, names.TAG_PROCESS, this_process())
    resume_state = found(register_as="other")
    assert resume_state.run_id == wanted
    assert resume_state.folder(wanted) == places.root() / wanted
    assert resume_state.tags == {names.TAG_CONFIG_DIGEST: configuration(Train(), DATA).digest}


def test_one_that_another_process_holds_is_left_alone(killed: Killed) -> None:
    run_id = killed(Train())
    held = lock_directory(places.root() / run_id)
    assert found().run_id is None
    with pytest.raises(BadInput, match=f"resume={run_id}: another process works on that run"):
        found(resume=run_id)
    os.close(held)
    assert found().run_id == run_id


def test_off_begins_anew(killed: Killed) -> None:
    killed(Train())
    assert found(resume="off").run_id is None
    none = found(checkpoints="off")
    assert (none.run_id, none.folder("1" * 32)) == (None, None)


def test_a_finished_run_leaves_nothing(killed: Killed) -> None:
    new = found()
    place = new.folder("2" * 32)
    assert place == places.root() / ("2" * 32)
    new.forget()
    assert list(places.root().iterdir()) == []


@pytest.mark.parametrize(
    ("options", "data", "told"),
    [
        ({"learning_rate": 0.01}, DATA, "learning_rate=0.001, and learning_rate=0.01 was asked"),
        ({"recipe": "strong"}, DATA, "normalize=off, and normalize=on was asked for"),
        ({}, "1" * 32, f"data={DATA}, and data={'1' * 32} was asked for"),
    ],
)
def test_another_configuration_is_refused(
    killed: Killed, options: dict[str, object], data: str, told: str
) -> None:
    asked = Train(resume=killed(Train()), **options)
    with pytest.raises(BadInput, match=f"resume={asked.resume}: that run has {told}"):
        resume.find(asked, configuration(asked, data))


def test_other_code_is_refused(killed: Killed) -> None:
    run_id = killed(Train(), code="older")
    with pytest.raises(BadInput, match="that run has code=older, and code="):
        found(resume=run_id)


def test_a_run_that_cannot_go_on_is_refused(killed: Killed) -> None:
    with pytest.raises(BadInput, match="no checkpoint of that run in"):
        found(resume="3" * 32)
    with pytest.raises(BadInput, match="no checkpoint of that run in"):
        found(resume=killed(Train(), epochs=0))
    with pytest.raises(BadInput, match="that run is FINISHED and cannot go on"):
        found(resume=killed(Train(), "FINISHED"))
    with pytest.raises(BadInput, match="requires checkpoints, got checkpoints=off"):
        found(resume="3" * 32, checkpoints="off")


def test_another_machine_and_other_libraries_are_named(killed: Killed, monkeypatch, capsys) -> None:
    made: Configuration = configuration(Train(), DATA)
    older = {**made.libraries, "tensorflow": "2.0.0"}
    with monkeypatch.context() as there:
        machine = {**places.this_machine(), "host": "there", "threads": "many"}
        there.setattr(places, "this_machine", lambda: machine)
        run_id = killed(Train(), libraries=older)
    resume_state = found(resume=run_id)
    warning = resume_state.tags[names.TAG_RESUMED_WITH]
    assert f"train: warning: {warning}" in capsys.readouterr().err
    for change in ("host there, now ", "threads many, now ", "tensorflow 2.0.0, now 2."):
        assert change in warning
    assert "cores" not in warning
    assert resume_state.tags[names.TAG_CONFIG_DIGEST] == replace(made, libraries=older).digest


def test_no_place_to_keep_them_is_said(client: MlflowClient, tmp_path: Path, capsys) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    assert found().folder("4" * 32) is None
    assert "checkpoints: none can be kept in" in capsys.readouterr().out


def test_a_run_that_nobody_goes_on_with_is_forgotten(killed: Killed) -> None:
    old, kept, at_work = (killed(Train(seed=seed)) for seed in (1, 2, 3))
    held = lock_directory(places.root() / at_work)
    month_ago = time.time() - 31 * 24 * 3600
    for run_id in (old, at_work):
        folder = places.root() / run_id
        for path in (folder, *folder.iterdir()):
            os.utime(path, (month_ago, month_ago))
    os.utime(places.root() / kept, (month_ago, month_ago))  # its epochs are newer
    found()
    assert {path.name for path in places.root().iterdir()} == {kept, at_work}
    os.close(held)
