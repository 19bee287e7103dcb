"""A sqlite tracking store in the temporary directory of a test."""

from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from tests.helpers.stores import create_store


@pytest.fixture
def store_uri(tmp_path: Path, monkeypatch) -> str:
    """URI of a store that does not exist yet."""
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    return uri


@pytest.fixture
def client(store_uri: str, tmp_path: Path) -> MlflowClient:
    """Client of an empty store."""
    create_store(tmp_path / "mlflow.db")
    return MlflowClient(store_uri)
