"""Open the tracking store, creating it if necessary."""

import logging
import os
import shutil
import sqlite3
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

import mlflow
import platformdirs
from filelock import FileLock
from mlflow.exceptions import MlflowException

from fmnist.errors import BadInput, WorkFailed
from fmnist.tracking.address import (
    configure_mlflow,
    database_path,
    is_server,
    local_path,
    sqlite_uri,
    store_address,
)
from fmnist.tracking.client import Client, call_store
from fmnist.tracking.errors import http_status, user_name
from fmnist.tracking.offline.sync import upload_earlier_records

_DENIED: Final = {401: "user and password", 403: "permissions of the user"}
_opening: Final = threading.Lock()


def open_store() -> mlflow.MlflowClient:
    """Return a client of the store in MLFLOW_TRACKING_URI, or of MLflow's default store.

    The first call in a process creates a new sqlite store, or uploads the records that earlier
    processes kept for a server.

    Raises:
        WorkFailed: the store cannot be read.
        BadInput: the server denies access, or a database driver is not installed.
    """
    with _opening:
        configure_mlflow()
        return _open(mlflow.get_tracking_uri(), Path.cwd())


@cache
def _open(uri: str, directory: Path) -> mlflow.MlflowClient:
    warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
    for logger in (
        "alembic",
        "mlflow.store",
        "mlflow.tracking.context",
        "mlflow.system_metrics",
        "mlflow.utils",
    ):
        logging.getLogger(logger).setLevel(logging.ERROR)
    # MLflow logs the traceback of each database error before raising it, also of transient ones.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    store = store_address()
    try:
        with _creation_lock(uri):
            client = call_store(Client)
            client.search_experiments(max_results=1)
    except MlflowException as error:
        status = http_status(error)
        if status in _DENIED:
            raise BadInput(
                f"the tracking server {store} denies access to {user_name()} (HTTP {status}): "
                f"check the {_DENIED[status]} in MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD"
            ) from error
        raise WorkFailed(f"the tracking store {store} cannot be used: {error}") from error
    except ModuleNotFoundError as error:
        raise BadInput(
            f"the tracking store {store} needs the package {error.name}, which is not installed"
        ) from error
    if is_server(uri):
        upload_earlier_records(store)
    return client


@contextmanager
def _creation_lock(uri: str) -> Iterator[None]:
    """Create a sqlite store in one process at a time; MLflow fails when several do it at once."""
    path = database_path(uri)
    if path is None:
        yield
        return
    with FileLock(f"{path}-lock"):
        if not path.exists():
            _create_database(path)
        yield


def _create_database(path: Path) -> None:
    """Create a sqlite store under another name and rename it.

    MLflow cannot use an incomplete one, which a process killed during the creation would leave.
    The cache keeps an empty store, because MLflow takes seconds for its hundreds of migrations.
    """
    work = Path(f"{path}-new")
    for remains in (work, Path(f"{work}-journal")):
        remains.unlink(missing_ok=True)
    template = platformdirs.user_cache_path("fmnist") / f"store-mlflow-{mlflow.__version__}.db"
    if not _copy_empty_store(template, work):
        call_store(Client, sqlite_uri(work)).search_experiments(max_results=1)
        with suppress(OSError):
            _keep_empty_store(work, template)
    work.replace(path)


def _copy_empty_store(template: Path, path: Path) -> bool:
    """Copy the template; return whether it exists and is a database."""
    try:
        shutil.copyfile(template, path)
        with closing(sqlite3.connect(path)) as database:
            return bool(database.execute("SELECT version_num FROM alembic_version").fetchall())
    except (OSError, sqlite3.Error):
        path.unlink(missing_ok=True)
        return False


def _keep_empty_store(path: Path, template: Path) -> None:
    """Copy a new store without its default experiment, whose address belongs to that store."""
    template.parent.mkdir(parents=True, exist_ok=True)
    work = template.with_suffix(f".{os.getpid()}")
    shutil.copyfile(path, work)
    with closing(sqlite3.connect(work)) as database, database:
        database.execute("DELETE FROM experiments")
    work.replace(template)


def ignore_local_files(artifact_uri: str) -> None:
    """Write a `.gitignore` into a local `mlruns` directory."""
    location = local_path(artifact_uri)
    folders = [folder for folder in location.parents if folder.name == "mlruns"] if location else []
    if folders:
        folders[0].mkdir(parents=True, exist_ok=True)
        target = folders[0] / ".gitignore"
        if not target.exists():
            target.write_text((Path(__file__).parents[2] / "mlruns.gitignore").read_text())
