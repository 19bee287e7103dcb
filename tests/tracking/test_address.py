"""Addresses of tracking stores."""

import os
from pathlib import Path

import pytest

from fmnist.errors import BadInput
from fmnist.tracking.address import check_server, database_path, without_password


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("sqlite:///mlflow.db", "mlflow.db"),
        ("sqlite:////data/mlflow.db", "/data/mlflow.db"),
        ("sqlite+pysqlite:////data/mlflow.db", "/data/mlflow.db"),
        ("sqlite:///mlflow.db?timeout=20", "mlflow.db"),
        ("sqlite://", None),
        ("postgresql+psycopg2://ada@server.example/mlflow", None),
        ("https://server.example/mlflow.db", None),
    ],
)
def test_database_path(uri: str, path: str | None) -> None:
    assert database_path(uri) == (Path(path) if path else None)


def test_password_is_removed_and_everything_else_is_kept() -> None:
    assert without_password("https://ada:secret@server.example:5000/a") == (
        "https://server.example:5000/a"
    )
    assert without_password("sqlite:////data/mlflow.db") == "sqlite:////data/mlflow.db"


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_unwritable_database_is_rejected(scheme: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(BadInput, match="cannot be written"):
        check_server(f"{scheme}:///{tmp_path}/mlflow.db")
