"""Empty sqlite tracking stores, copied from one that each test process creates once.

MLflow needs about four seconds of CPU time to create a store.
"""

import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from mlflow import MlflowClient


def create_store(path: Path) -> str:
    """Create an empty store with its artifacts in `mlruns` beside it; returns its URI."""
    path.write_bytes(_empty_store())
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "UPDATE experiments SET artifact_location = ?", (f"{path.parent}/mlruns/0",)
        )
    return f"sqlite:///{path}"


@cache
def _empty_store() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mlflow.db")
        MlflowClient(f"sqlite:///{path}").search_experiments()
        return path.read_bytes()
