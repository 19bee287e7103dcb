"""Empty sqlite tracking stores, copied from a template: MLflow needs seconds to create one."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient

from tests.helpers import SUITE_DIR


def create_store(path: Path) -> str:
    """Create an empty store with its artifacts in `mlruns` beside it, and return its URI."""
    shutil.copy(_template(), path)
    with closing(sqlite3.connect(path)) as database, database:
        location = f"{path.parent}/mlruns/0"
        database.execute("UPDATE experiments SET artifact_location = ?", (location,))
    return f"sqlite:///{path}"


def _template() -> Path:
    """A store that all processes of the suite share."""
    folder = Path(os.environ[SUITE_DIR])
    template = folder / "template.db"
    with FileLock(folder / "template.lock"):
        if not template.exists():
            new = folder / "new.db"
            MlflowClient(f"sqlite:///{new}").search_experiments()
            new.rename(template)
    return template
