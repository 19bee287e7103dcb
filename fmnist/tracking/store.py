"""Where runs are kept: look before the first call, and never wait in silence."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import mlflow
from filelock import FileLock
from mlflow.exceptions import MlflowException

from fmnist.errors import BadInput, WorkFailed
from fmnist.tracking.address import is_server, without_password
from fmnist.tracking.attempts import requests_with
from fmnist.tracking.client import Client, answered

_REFUSED: Final = {401: "user and password", 403: "permissions of the user"}

# MLflow's own defaults try 7 times with pauses of up to 128 s: four minutes of silence a call.
_PATIENCE: Final = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
# For the first look, which is answered or given up within twenty seconds.
_FIRST_LOOK: Final = {"retries": 2, "seconds": 5}


def open_store() -> mlflow.MlflowClient:
    """A client of the tracking store that MLFLOW_TRACKING_URI names, or of MLflow's default.

    A new store is set up here, by one process at a time; a server gets what earlier processes could
    not tell it.

    Raises:
        WorkFailed: the store cannot be read.
        BadInput: the server does not let this user in, or a driver is not installed.
    """
    for variable, value in _PATIENCE.items():
        os.environ.setdefault(variable, value)
    for talkative in ("alembic", "mlflow.store", "mlflow.system_metrics", "mlflow.utils"):
        logging.getLogger(talkative).setLevel(logging.ERROR)
    # It prints a traceback of every error that it raises, also of those that pass.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    uri, store = mlflow.get_tracking_uri(), store_address()
    try:
        with _first_use(uri), requests_with(**_FIRST_LOOK):
            client = answered(Client)  # which makes the store if there is none
            client.search_experiments(max_results=1)
    except MlflowException as error:
        status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
        if status in _REFUSED:
            raise BadInput(
                f"the tracking server {store} refused {user_name()} (HTTP {status}): check the "
                f"{_REFUSED[status]} in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            ) from error
        raise WorkFailed(f"the tracking store {store} does not work: {error}") from error
    except ModuleNotFoundError as error:
        raise BadInput(
            f"the tracking store {store} needs the package {error.name}, which is not installed"
        ) from error
    if is_server(uri):
        from fmnist.tracking.offline.sync import catch_up  # which needs this module

        catch_up(store)
    return client


def store_address() -> str:
    """The address of the tracking store in use, as it may be shown."""
    return without_password(mlflow.get_tracking_uri())


def user_name() -> str:
    """Whom the tracking server knows this process as."""
    return os.environ.get("MLFLOW_TRACKING_USERNAME", "no user name")


@contextmanager
def _first_use(uri: str) -> Iterator[None]:
    """One process at a time: first uses of an empty sqlite store at once break all but one."""
    address = urlsplit(uri)
    if address.scheme != "sqlite" or not address.path.strip("/"):
        yield
        return
    path = Path(address.path[1:])
    with FileLock(f"{path}-lock"):
        if not path.exists():
            _make(path)
        yield


def _make(path: Path) -> None:
    """Make a sqlite store, whole or not at all: MLflow cannot go on with half of one, such as a
    process leaves behind that is killed in the seconds that this takes.
    """
    work = Path(f"{path}-new")
    for left in (work, Path(f"{work}-journal")):
        left.unlink(missing_ok=True)
    answered(Client, f"sqlite:///{work}").search_experiments(max_results=1)
    work.replace(path)


def ignore_local_files(artifact_uri: str) -> None:
    """Keep a local tracking folder out of version control: drop our ignore rules into it."""
    path = urlsplit(artifact_uri)
    folders = [f for f in Path(path.path).parents if f.name == "mlruns"]
    if path.scheme in ("", "file") and folders:
        folders[0].mkdir(parents=True, exist_ok=True)
        target = folders[0] / ".gitignore"
        if not target.exists():
            target.write_text((Path(__file__).parents[2] / "mlruns.gitignore").read_text())
