"""Workspaces, runs of the entry points that several tests read, and servers."""

import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fmnist.training import runtime
from tests.helpers.project_runs import ProjectRuns
from tests.helpers.servers import free_port, postgres_server, tracking_server
from tests.helpers.stores import create_store
from tests.helpers.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, small_data_dir: Path) -> Workspace:
    """A folder with an empty store."""
    create_store(tmp_path / "mlflow.db")
    return Workspace(tmp_path, small_data_dir)


@pytest.fixture(scope="session")
def project_runs(suite_dir: Path, small_data_dir: Path) -> ProjectRuns:
    """One `mlflow run` of each entry point, in one store, each made when it is first needed."""
    return ProjectRuns(suite_dir / "project runs", small_data_dir)


@pytest.fixture
def copied_store(tmp_path: Path, project_runs: ProjectRuns) -> Workspace:
    """A copy of the store of `project_runs`, for tests that add runs."""
    shutil.copy(project_runs.workspace.folder / "mlflow.db", tmp_path)
    return Workspace(tmp_path, project_runs.workspace.data_dir)


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], small_data_dir: Path
) -> Callable[..., "pytest.CaptureResult[str]"]:
    """Call an entry point in this process, with the store of the working directory."""
    start_tensorflow = runtime.start

    def start_once(**options: bool) -> None:
        with suppress(RuntimeError):  # TensorFlow keeps the thread settings of its first use
            start_tensorflow(**options)

    monkeypatch.setattr(runtime, "start", start_once)

    def run(entry: str, code: int = 0, **options: object) -> "pytest.CaptureResult[str]":
        words = Workspace(Path.cwd(), small_data_dir).script(entry, **options)[3:]
        monkeypatch.setattr(sys, "argv", [entry, *words])
        with pytest.raises(SystemExit) as end:
            runpy.run_module(f"entrypoints.{entry}", run_name="__main__")
        printed = capsys.readouterr()
        assert end.value.code == code, printed.err
        return printed

    return run


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a new tracking server."""
    with tracking_server(tmp_path_factory.mktemp("server"), free_port()) as address:
        yield address


@pytest.fixture
def database(suite_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a new PostgreSQL database."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(suite_dir))
    (suite_dir / "python_PostgresServer").mkdir(exist_ok=True)
    with postgres_server() as address:
        yield address
