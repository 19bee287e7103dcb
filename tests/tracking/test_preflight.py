"""Problems of the tracking store are found before any work, with a remedy in one line."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mlflow import MlflowClient

from fmnist import names
from fmnist.errors import BadInput, WorkFailed
from fmnist.system.identity import this_process
from fmnist.tracking.preflight import check_store
from fmnist.tracking.run import open_run
from tests.helpers.servers import answering
from tests.helpers.stores import create_store

pytestmark = pytest.mark.faults

LAUNCHED = {"mlflow.project.entryPoint": "train"}


def problem(error: type[Exception] = BadInput) -> str:
    """The message of the check; it has one line."""
    with pytest.raises(error) as raised:
        check_store()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_usable_stores(client: MlflowClient, monkeypatch, tmp_path: Path, capsys) -> None:
    check_store()
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "a new one")
    check_store()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/new.db")
    check_store()
    assert not (tmp_path / "new.db").exists()
    assert [each.name for each in client.search_experiments()] == ["Default"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("MLFLOW_EXPERIMENT_NAME", "old", "'old' is deleted; restore it (mlflow experiments res"),
        ("MLFLOW_EXPERIMENT_ID", "{old}", "'old' is deleted; restore it (mlflow experiments res"),
        ("MLFLOW_EXPERIMENT_ID", "77", "no such experiment"),
        ("MLFLOW_EXPERIMENT_ID", "abc", "no such experiment"),
        ("MLFLOW_EXPERIMENT_ID", "", "is empty; unset it"),
        ("MLFLOW_EXPERIMENT_NAME", "", "is empty; unset it"),
        ("MLFLOW_EXPERIMENT_NAME", "  ", "is empty; unset it"),
    ],
)
def test_experiments(
    client: MlflowClient, monkeypatch, variable: str, value: str, expected: str
) -> None:
    old = client.create_experiment("old")
    client.delete_experiment(old)
    monkeypatch.setenv(variable, value.format(old=old))
    assert expected in problem()


def test_deleted_default_experiment(client: MlflowClient) -> None:
    client.delete_experiment("0")
    assert "the default experiment: the experiment 'Default' is deleted; restore" in problem()
    check_store(opens_run=False)


def test_two_different_experiments(client: MlflowClient, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "a")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    assert "are different experiments; unset one" in problem()
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", client.create_experiment("a"))
    check_store()


def test_run_of_the_launcher_and_its_experiment_are_used(client: MlflowClient, monkeypatch) -> None:
    """`mlflow run --experiment-name chosen` overrides MLFLOW_EXPERIMENT_NAME."""
    chosen = client.create_experiment("chosen")
    run_id = client.create_run(chosen, tags=LAUNCHED).info.run_id
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", chosen)
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    check_store()
    assert os.environ["MLFLOW_EXPERIMENT_ID"] == chosen
    assert "MLFLOW_EXPERIMENT_NAME" not in os.environ
    assert client.get_experiment_by_name("other") is None


@pytest.mark.parametrize(
    ("status", "tags", "expected"),
    [
        ("FINISHED", LAUNCHED, "this run is FINISHED"),
        ("FAILED", LAUNCHED, "this run is FAILED"),
        ("deleted", LAUNCHED, "this run is deleted"),
        ("RUNNING", {}, "was not created by `mlflow run`"),
        ("RUNNING", {**LAUNCHED, names.TAG_PROCESS: "this"}, "another process works on this run"),
        ("unknown", {}, "no such run"),
        ("empty", {}, "no such run"),
    ],
)
def test_other_runs_are_left_unchanged(
    client: MlflowClient, monkeypatch, status: str, tags: dict[str, str], expected: str
) -> None:
    tags = {name: this_process() if text == "this" else text for name, text in tags.items()}
    run_id = client.create_run("0", tags=tags).info.run_id
    if status in ("FINISHED", "FAILED"):
        client.set_terminated(run_id, status)
    if status == "deleted":
        client.delete_run(run_id)
    before = client.get_run(run_id).to_dictionary()
    monkeypatch.setenv("MLFLOW_RUN_ID", {"unknown": "f" * 32, "empty": ""}.get(status, run_id))
    assert expected in (message := problem())
    assert "it is unchanged. Unset MLFLOW_RUN_ID" in message
    assert client.get_run(run_id).to_dictionary() == before
    assert "MLFLOW_RUN_ID" not in os.environ


def test_run_that_is_not_launched_is_rejected_when_it_is_opened(
    client: MlflowClient, monkeypatch
) -> None:
    """Also if the check could not read the store, for example without access."""
    from fmnist.options import Train

    run_id = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    with pytest.raises(BadInput, match="not created by"), open_run("train", Train(), {}):
        raise AssertionError("the work must not begin")
    assert client.get_run(run_id).info.status == "RUNNING"


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing/mlflow.db", "mkdir -p"),
        ("folder", "expected the file of the tracking store"),
        ("text.db", "is not a tracking store (file is not a database); restore a backup"),
        ("read-only.db", "cannot be written"),
    ],
)
def test_files(tmp_path: Path, monkeypatch, scheme: str, name: str, expected: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.db").write_text("this is not a database" * 10)
    access = os.access
    monkeypatch.setattr(  # root may write everywhere
        os, "access", lambda path, mode: name != "read-only.db" and access(path, mode)
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}:///{tmp_path}/{name}")
    assert expected in problem()


def test_disk_error(client: MlflowClient, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite3, "connect", fail)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", fail)
    assert "reports an error" in problem()


def test_locked_store_is_not_a_problem(client: MlflowClient, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        check_store()


@pytest.mark.parametrize(
    ("uri", "error", "expected"),
    [
        ("postgresql+psycopg2://ada:secret@127.0.0.1:9/db", WorkFailed, "Connection refused"),
        ("postgresql+psycopg://ada:secret@127.0.0.1:9/db", BadInput, "needs the package psycopg"),
    ],
)
def test_database_servers(monkeypatch, uri: str, error: type[Exception], expected: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    message = problem(error)
    assert expected in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("scheme", "answer", "expected"),
    [
        ("http", b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
        ("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak HTTPS"),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "not an MLflow server"),
        ("http", b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "not an MLflow server"),
    ],
)
def test_other_programs_at_the_port(monkeypatch, scheme: str, answer: bytes, expected: str) -> None:
    with answering(answer) as port:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}://ada:secret@127.0.0.1:{port}")
        message = problem()
    assert expected in message
    assert "secret" not in message


def test_proxy_in_between(monkeypatch) -> None:
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with answering(answer) as port:
        monkeypatch.setenv("http_proxy", f"http://ada:secret@127.0.0.1:{port}")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")
        message = problem()
    assert f"through the proxy http://127.0.0.1:{port} (set no_proxy=tracking.example" in message
    assert "secret" not in message


@pytest.fixture
def server(monkeypatch) -> Iterator[dict[str, str]]:
    """A tracking server with these responses to paths; it notes the user."""
    answers = {"health": "OK"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers["user"] = self.headers.get("Authorization", "")
            path = self.path.rpartition("mlflow/")[2].partition("?")[0].strip("/")
            self.send_response(200 if path in answers else 404)
            self.end_headers()
            self.wfile.write(answers.get(path, "{}").encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{running.server_port}")
        yield answers
        running.shutdown()


def test_experiments_and_runs_of_a_server(server: dict[str, str], monkeypatch) -> None:
    deleted = '{"experiment": {"experiment_id": "7", "name": "old", "lifecycle_stage": "deleted"}}'
    server["experiments/get-by-name"] = server["experiments/get"] = deleted
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "lovelace")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "old")
    assert "'old' is deleted" in problem()
    assert server["user"] == "Basic YWRhOmxvdmVsYWNl"
    server["experiments/get-by-name"] = server["experiments/get"] = deleted.replace(
        "deleted", "active"
    )
    check_store()
    info = '"info": {"experiment_id": "7", "status": "FINISHED", "lifecycle_stage": "active"}'
    server["runs/get"] = f'{{"run": {{{info}, "data": {{}}}}}}'
    monkeypatch.setenv("MLFLOW_RUN_ID", "a" * 32)
    assert "this run is FINISHED" in problem()


@pytest.mark.parametrize("has_runs", [False, True])
def test_files_that_are_not_beside_the_store(tmp_path: Path, monkeypatch, capsys, has_runs) -> None:
    """They are reported; a directory that does not exist is an error if runs have stored files."""
    (tmp_path / "old").mkdir()
    client = MlflowClient(create_store(tmp_path / "old" / "mlflow.db"))
    if has_runs:
        client.set_terminated(client.create_run("0").info.run_id)
    (tmp_path / "old").rename(tmp_path / "new")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/new/mlflow.db")
    location = tmp_path / "old" / "mlruns" / "0"
    if has_runs:
        assert f"{location}: the directory" in (message := problem())
        assert "doctor --relocate" in message
        location.mkdir(parents=True)
    check_store()
    assert f"stored in {location}, not beside" in capsys.readouterr().err


def test_directory_that_mlflow_run_created_is_removed_if_it_is_empty(
    tmp_path: Path, monkeypatch
) -> None:
    folder, encoded = tmp_path / "x y", tmp_path / "x%20y"
    for path in (folder, encoded):
        path.mkdir()
    create_store(folder / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{encoded}/mlflow.db")
    check_store()
    assert not encoded.exists()
    assert folder.exists()
