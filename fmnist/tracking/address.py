"""The address of the tracking store, looked at before anything heavy is imported."""

import os
import ssl
import time
import urllib.error
import urllib.request
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fmnist.errors import BadInput, WorkFailed

_SCHEMES: Final = ("http", "https")
_DEFAULT: Final = "sqlite:///mlflow.db"  # MLflow's
_SECONDS: Final = 5
_PAUSES: Final = (0, 1, 3)  # seconds before each attempt
_FAULT: Final = 500


def is_server(uri: str) -> bool:
    """Whether the address is one of a tracking server."""
    return urlsplit(uri).scheme in _SCHEMES


def database_path(uri: str) -> Path | None:
    """Return the path of a SQLite database, with or without a driver in the URI; otherwise None."""
    address = urlsplit(uri)
    is_file = address.scheme.partition("+")[0] == "sqlite" and address.path.strip("/")
    return Path(address.path[1:]) if is_file else None


def check_server(uri: str = "") -> None:
    """Return when a server answers at the address, or when that is of a database.

    Args:
        uri: by default MLFLOW_TRACKING_URI.

    Raises:
        WorkFailed: nobody listens there, or no answer comes within 20 s (MLflow itself would try
            for four minutes, after an import that takes as long as this).
        BadInput: the address names no host or port, or a file that cannot be written.
    """
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI", _DEFAULT)
    if path := database_path(uri):
        _need_writable(path)
    if not is_server(uri):
        return
    told = without_password(uri)
    try:
        address = urlsplit(uri)
        host, _ = address.hostname, address.port
    except ValueError as error:
        raise BadInput(f"MLFLOW_TRACKING_URI={told}: {error}") from error
    if not host:
        raise BadInput(f"MLFLOW_TRACKING_URI={told}: no host in it")
    for attempt, pause in enumerate(_PAUSES, start=1):
        time.sleep(pause)
        try:
            _ask(f"{told.rstrip('/')}/health")
            return
        except OSError as error:
            # One that does not listen is not starting soon; others may have a bad moment.
            refused = isinstance(getattr(error, "reason", error), ConnectionRefusedError)
            if attempt == len(_PAUSES) or refused:
                raise WorkFailed(
                    f"the tracking server {told} cannot be reached (asked {attempt} times for "
                    f"/health: {error}); start it, or set MLFLOW_TRACKING_URI to another store "
                    "(unset: sqlite in this folder)"
                ) from error


def _need_writable(database: Path) -> None:
    """Return if a database can be written there."""
    for path in (database, database.absolute().parent):
        if path.exists() and not os.access(path, os.W_OK):
            raise BadInput(
                f"{path}: wanted a place for the tracking store {database.name}, got one that "
                "cannot be written; start in another folder, or name a store in "
                "MLFLOW_TRACKING_URI"
            )


def _ask(url: str) -> None:
    """Return if anything answers that is not a fault."""
    anybody = ssl.create_default_context()  # nothing is told here; MLflow looks at certificates
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        urllib.request.urlopen(url, timeout=_SECONDS, context=anybody).close()  # noqa: S310
    except urllib.error.HTTPError as answer:
        with answer:
            if answer.code >= _FAULT:
                raise


def store_name() -> str:
    """A short name for the tracking store in use, the same for the same store."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", _DEFAULT)
    relative = uri.startswith("sqlite:///") and not uri.startswith("sqlite:////")
    place = f"{Path.cwd()} {uri}" if relative else without_password(uri)
    return sha256(place.encode()).hexdigest()[:12]


def without_password(uri: str) -> str:
    """The address without the user and password that it may hold."""
    address = urlsplit(uri)
    if "@" not in address.netloc:
        return uri  # put together again, sqlite's four slashes would be two
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()
