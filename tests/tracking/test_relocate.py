"""A moved or copied store refers to the files beside it after `doctor --relocate`."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from fmnist.__main__ import main
from tests.helpers.stores import create_store

pytestmark = pytest.mark.faults


@pytest.fixture(params=["plain", "x y ü's"])
def copied(tmp_path: Path, monkeypatch, request) -> tuple[Path, Path]:
    """A store with a run, a model and a registered version, and its copy, which is in use."""
    old, new = tmp_path / "old", tmp_path / request.param
    old.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", create_store(old / "mlflow.db"))
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "old", "a.txt")
    model = client.create_logged_model("0", "lenet5")
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model("lenet5")
    client.create_model_version("lenet5", f"models:/{model.model_id}", model_id=model.model_id)
    client.create_experiment("remote", "s3://bucket/mlruns/1")
    shutil.copytree(old, new)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{new}/mlflow.db")
    return old, new


def locations(store: Path) -> str:
    with closing(sqlite3.connect(store)) as database:
        return "\n".join(database.iterdump())


def test_files_of_a_copy(copied: tuple[Path, Path], capsys) -> None:
    old, new = copied
    before = locations(new / "mlflow.db")
    assert f"{old}/" in before
    assert main(["doctor", "--relocate"]) == 0
    assert f"{old}/" not in locations(new / "mlflow.db")
    assert "s3://bucket/mlruns/1" in locations(new / "mlflow.db")
    assert locations(new / "mlflow.db.before-relocate") == before
    assert f"{old}/mlruns -> {new}/mlruns" in capsys.readouterr().out
    client = MlflowClient(f"sqlite:///{new}/mlflow.db")
    [run] = client.search_runs(["0"])
    assert run.info.artifact_uri == f"{new}/mlruns/0/{run.info.run_id}/artifacts"
    assert Path(run.info.artifact_uri, "a.txt").exists()
    client.log_text(client.create_run("0").info.run_id, "new", "b.txt")
    assert list(new.rglob("b.txt"))
    assert not list(old.rglob("b.txt"))
    version = client.get_model_version_download_uri("lenet5", "1")
    assert version.startswith((f"{new}/mlruns", "models:/"))
    assert main(["doctor", "--relocate"]) == 0
    assert "nothing to relocate" in capsys.readouterr().out


def test_a_copy_without_files_or_in_use_is_unchanged(copied: tuple[Path, Path], capsys) -> None:
    _, new = copied
    before = locations(new / "mlflow.db")
    with closing(sqlite3.connect(new / "mlflow.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert main(["doctor", "--relocate"]) == 2
    assert "end the processes that use it" in capsys.readouterr().err
    shutil.rmtree(new / "mlruns")
    assert main(["doctor", "--relocate"]) == 2
    assert f"{new}/mlruns: no such directory" in capsys.readouterr().err
    assert locations(new / "mlflow.db") == before


@pytest.mark.parametrize("uri", ["http://tracking.example", "sqlite:///missing.db"])
def test_only_existing_local_stores_can_be_relocated(monkeypatch, capsys, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert main(["doctor", "--relocate"]) == 2
    assert "expected an existing SQLite store" in capsys.readouterr().err
