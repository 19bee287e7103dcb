"""The address of the tracking store, checked before MLflow is imported."""

import os
import ssl
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fmnist.errors import BadInput, WorkFailed

_DEFAULT_URI: Final = "sqlite:///mlflow.db"  # MLflow's own default
_TIMEOUT_SECONDS: Final = 5
_PAUSES: Final = (0, 1, 3)  # seconds before each attempt
_SERVER_ERROR: Final = 500


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI or MLflow's default, without importing MLflow."""
    return os.environ.get("MLFLOW_TRACKING_URI") or _DEFAULT_URI


def is_server(uri: str) -> bool:
    """Whether the URI is that of a tracking server."""
    return urlsplit(uri).scheme in ("http", "https")


def database_path(uri: str) -> Path | None:
    """Return the file of a SQLite URI such as `sqlite:///mlflow.db` or `sqlite+driver:///…`.

    None for servers, other databases and SQLite in memory.
    """
    address = urlsplit(uri)
    if address.scheme.partition("+")[0] != "sqlite" or not address.path.strip("/"):
        return None
    return Path(address.path[1:])


def without_password(uri: str) -> str:
    """Return the URI without user name and password."""
    address = urlsplit(uri)
    if "@" not in address.netloc:
        return uri  # geturl() would turn the four slashes of an absolute sqlite path into two
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def store_name() -> str:
    """Return a short identifier of the tracking store in use, for names of lock files."""
    path = database_path(tracking_uri())
    location = str(path.absolute()) if path else without_password(tracking_uri())
    return sha256(location.encode()).hexdigest()[:12]


def describe_store() -> str:
    """Return the address of the tracking store, without password, and the experiment."""
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME")
    experiment = experiment or os.environ.get("MLFLOW_EXPERIMENT_ID", "Default")
    return f"{without_password(tracking_uri())}, experiment {experiment}"


def configure_mlflow() -> None:
    """Set MLflow's request settings, once, in the main thread, before other threads are started.

    MLflow reads them from the environment at every request. It must not repeat requests by itself:
    a repeated request could create a second run. `client.Client` and the offline queue repeat the
    requests that are safe to repeat.
    """
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # seconds
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # `cli` prints it


def check_server(uri: str = "") -> None:
    """Check that the tracking server responds, or that the SQLite file can be written.

    Args:
        uri: by default that of the tracking store in use.

    Raises:
        WorkFailed: the server refuses connections or does not respond within 20 s (MLflow itself
            would retry for four minutes).
        BadInput: the URI has no host or an invalid port, or the file cannot be written.
    """
    configure_mlflow()
    uri = uri or tracking_uri()
    if database := database_path(uri):
        _check_writable(database)
    if is_server(uri):
        _check_health(without_password(uri))


def open_store_in_background() -> None:
    """Import MLflow and open the store in a thread, while the caller imports TensorFlow.

    Call `check_server` before. Errors are raised by the next call of `store.open_store`.
    """

    def open_quietly() -> None:
        with suppress(Exception):
            from fmnist.tracking.store import open_store

            open_store()

    threading.Thread(target=open_quietly, name="open store", daemon=True).start()


def _check_writable(database: Path) -> None:
    for path in (database, database.absolute().parent):
        if path.exists() and not os.access(path, os.W_OK):
            raise BadInput(
                f"{path}: cannot be written; the tracking store is {database}; "
                "start in another directory, or set MLFLOW_TRACKING_URI to another store"
            )


def _check_health(uri: str) -> None:
    try:
        address = urlsplit(uri)
        host, _ = address.hostname, address.port
    except ValueError as error:
        raise BadInput(f"MLFLOW_TRACKING_URI={uri}: {error}") from error
    if not host:
        raise BadInput(f"MLFLOW_TRACKING_URI={uri}: the host is missing")
    for attempt, pause in enumerate(_PAUSES, start=1):
        time.sleep(pause)
        try:
            _request(f"{uri.rstrip('/')}/health")
            return
        except OSError as error:
            refused = isinstance(getattr(error, "reason", error), ConnectionRefusedError)
            if attempt == len(_PAUSES) or refused:
                raise WorkFailed(
                    f"the tracking server {uri} cannot be reached ({attempt} requests to /health: "
                    f"{error}); start it, or set MLFLOW_TRACKING_URI to another store (unset: "
                    "sqlite in this directory)"
                ) from error


def _request(url: str) -> None:
    """Request the URL; any response below status 500 is accepted."""
    context = ssl.create_default_context()  # no secrets are sent; MLflow verifies certificates
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS, context=context).close()  # noqa: S310
    except urllib.error.HTTPError as response:
        with response:
            if response.code >= _SERVER_ERROR:
                raise
