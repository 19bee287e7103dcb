"""Addresses of tracking stores: every form of a path, and mistakes in URIs."""

import os
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import sqlalchemy

from fmnist.errors import BadInput
from fmnist.system.redaction import without_password
from fmnist.tracking.address import configure_mlflow, database_path, sqlite_uri, tracking_uri

pytestmark = pytest.mark.faults

PATHS = [
    "mlflow.db", "x y ü/mlflow.db", "a#b/mlflow.db", "100%/mlflow.db", "a%20b/mlflow.db",
    "it's \"q\"/mlflow.db", "why?/mlflow.db", "a@b:c/mlflow.db", "a&b=c;d/mlflow.db",
]  # fmt: skip


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:///mlflow.db", "mlflow.db"),
        ("sqlite:////data/mlflow.db", "/data/mlflow.db"),
        ("sqlite+pysqlite:////data/mlflow.db", "/data/mlflow.db"),
        ("sqlite:///mlflow.db?timeout=20", "mlflow.db"),
        ("sqlite:////data/x%20y%20%C3%BC/mlflow.db", "/data/x y ü/mlflow.db"),
        ("sqlite:////a%23b/c#d.db?timeout=20", "/a#b/c#d.db"),
        ("sqlite:////100%/mlflow.db", "/100%/mlflow.db"),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("sqlite:///file:x?mode=memory&uri=true", None),
        ("postgresql+psycopg2://ada@server.example/mlflow", None),
        ("https://server.example/mlflow.db", None),
    ],
)
def test_database_path(uri: str, path: str | None) -> None:
    assert database_path(uri) == (Path(path) if path else None)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("query", ["", "?timeout=3"])
def test_sqlalchemy_opens_the_same_file(tmp_path: Path, name: str, query: str) -> None:
    """And MLflow, which would create a directory of the undecoded name, finds nothing to create."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    uri = sqlite_uri(path, query=query)
    assert database_path(uri) == path
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute("create table t (i)")
    assert path.exists()
    created_by_mlflow = Path(uri.removeprefix("sqlite:///")).parent
    assert not uri.startswith("sqlite:///") or created_by_mlflow == path.parent


@pytest.mark.parametrize("name", PATHS)
def test_default_store_is_in_the_working_directory(tmp_path: Path, monkeypatch, name: str) -> None:
    folder = (tmp_path / name).parent
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert database_path(tracking_uri()) == folder / "mlflow.db"
    configure_mlflow()
    monkeypatch.chdir(tmp_path)  # child processes and later code use the same file
    assert database_path(os.environ["MLFLOW_TRACKING_URI"]) == folder / "mlflow.db"


def test_relative_path_under_mlflow_run_is_in_the_directory_of_the_launcher(
    monkeypatch, tmp_path: Path
) -> None:
    """`mlflow run` starts the entry point in the directory of the project, through a shell."""
    commands = {
        "/project": ["bash", "-c", "python -m entrypoints.train"],
        "/home/ada": ["/usr/bin/python", "/usr/bin/mlflow", "run", ".", "-e", "train"],
    }
    parents = [
        SimpleNamespace(cmdline=lambda words=words: words, cwd=lambda folder=folder: folder)
        for folder, words in commands.items()
    ]
    monkeypatch.setattr(psutil.Process, "parents", lambda self: parents)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///my.db")
    assert database_path(tracking_uri()) == tmp_path / "my.db"
    monkeypatch.setenv("MLFLOW_RUN_ID", "1")
    assert database_path(tracking_uri()) == Path("/home/ada/my.db")


@pytest.mark.parametrize(
    ("uri", "mistake"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file:x?mode=memory&uri=true", "in memory"),
        ("sqlite://mlflow.db", "three slashes"),
        ("sqlite:/mlflow.db", "three slashes"),
        ("localhost:5000", "http:// is missing"),
        ("127.0.0.1:5000/path", "http:// is missing"),
        ("http:/server.example", "http:// is missing"),
        ("'http://server.example'", "quotes"),
        ('"sqlite:///mlflow.db"', "quotes"),
        ('http://server.example"', "space or a quote"),
        ("http://server example:5000", "space or a quote"),
        ("http://server.example ", "begins or ends with a space"),
        ("http://server.example\n", "line break"),
        ("sqlite:///a\nb.db", "line break"),
        ("http://", "the host is missing"),
        ("http://host:port", "Port could not be cast"),
        ("http://host:99999", "Port out of range"),
        ("postgresql://", "not supported"),
        ("databricks", "not supported"),
        ("ftp://server.example/x", "not supported"),
        ("./mlruns", "file stores"),
        ("file:///data/mlruns", "file stores"),
    ],
)
def test_mistakes(monkeypatch, uri: str, mistake: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(BadInput, match=mistake) as error:
        tracking_uri()
    assert "sqlite:///PATH" in str(error.value)  # the remedy
    assert "\n" not in str(error.value)


def test_file_stores_need_an_opt_in(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    old = tmp_path / "mlruns" / "0" / "meta.yaml"
    old.parent.mkdir(parents=True)
    old.touch()
    with pytest.raises(BadInput, match=r"old file store .*mv mlruns mlruns\.old"):
        tracking_uri()
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert tracking_uri() == (tmp_path / "mlruns").as_uri()


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://ada:secret@server.example:5000/a@b", "https://server.example:5000/a@b"),
        ("http://server.example:5000/a@b", "http://server.example:5000/a@b"),
        ("postgresql://ada:se/cr:et@host/db", "postgresql://host/db"),
        (
            "postgresql://host/db?user=ada&password=secret",
            "postgresql://host/db?user=ada&password=***",
        ),
        ("sqlite:////data/a@b/mlflow.db", "sqlite:////data/a@b/mlflow.db"),
    ],
)
def test_password_is_removed_and_everything_else_is_kept(uri: str, shown: str) -> None:
    assert without_password(uri) == shown
