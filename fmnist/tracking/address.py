"""The address of the tracking store, looked at before anything heavy is imported."""

import os
import socket
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fmnist.errors import BadInput, WorkFailed

_CONNECT_SECONDS: Final = 3
_PORTS: Final = {"http": 80, "https": 443}


def knock() -> None:
    """Return when a server listens at MLFLOW_TRACKING_URI, or when that is no server's address.

    Raises:
        WorkFailed: nobody listens there (told within seconds; MLflow itself would try for four
            minutes, after an import that takes as long as this).
        BadInput: the address names no host or port.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    address = urlsplit(uri)
    if address.scheme not in _PORTS:
        return
    try:
        host, port = address.hostname, address.port or _PORTS[address.scheme]
    except ValueError as error:
        raise BadInput(f"MLFLOW_TRACKING_URI={without_password(uri)}: {error}") from error
    if not host:
        raise BadInput(f"MLFLOW_TRACKING_URI={without_password(uri)}: no host in it")
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise WorkFailed(
            f"the tracking server {without_password(uri)} cannot be reached ({error}); start it, "
            "or set MLFLOW_TRACKING_URI to another store (unset: sqlite in this folder)"
        ) from error


def store_name() -> str:
    """A short name for the tracking store in use, the same for the same store."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    relative = uri.startswith("sqlite:///") and not uri.startswith("sqlite:////")
    place = f"{Path.cwd()} {uri}" if relative else without_password(uri)
    return sha256(place.encode()).hexdigest()[:12]


def without_password(uri: str) -> str:
    """The address without the user and password that it may hold."""
    address = urlsplit(uri)
    if "@" not in address.netloc:
        return uri  # put together again, sqlite's four slashes would be two
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()
