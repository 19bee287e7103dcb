"""Classification of tracking store errors, and messages that say what to do about them."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import mlflow
import requests
from mlflow.exceptions import MlflowException

from fmnist.errors import WorkFailed
from fmnist.tracking.address import database_path, without_password

_DENIED: Final = (401, 403)
_TRANSIENT: Final = (408, 429)  # request timeout, too many requests
_SERVER_ERROR: Final = 500
_EXISTS: Final = "RESOURCE_ALREADY_EXISTS"

# Texts of sqlite and the operating system, which MLflow and shutil include in their messages.
_LOCKED: Final = "database is locked"
_DISK_FULL: Final = (
    "database or disk is full", os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT),
)  # fmt: skip
_READ_ONLY: Final = (
    "readonly database", "unable to open database file",
    os.strerror(errno.EROFS), os.strerror(errno.EACCES),
)  # fmt: skip
_REAP_HINT: Final = (
    "everything logged before is kept; `python -m fmnist reap --really` closes a run that is still "
    "RUNNING"
)


def is_outage(error: BaseException) -> bool:
    """Whether the server or the connection failed, so that the same request may succeed later."""
    status = http_status(error)
    if status is None:
        # Also errors of `requests`, and of artifact directories on a shared disk.
        return isinstance(error, OSError)
    return status >= _SERVER_ERROR or status in _TRANSIENT


def is_denied(error: BaseException) -> bool:
    """Whether the server rejected the user or their permissions."""
    return http_status(error) in _DENIED


def is_locked(error: BaseException) -> bool:
    """Whether another process has locked the database."""
    return isinstance(error, MlflowException) and _LOCKED in str(error)


def already_exists(error: BaseException) -> bool:
    """Whether the object to be created exists already."""
    return isinstance(error, MlflowException) and error.error_code == _EXISTS


def http_status(error: BaseException) -> int | None:
    """Return the HTTP status of the response; MLflow reports 500 when there was no response."""
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())  # type: ignore[no-untyped-call]
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code
    return None


def store_address() -> str:
    """Return the URI of the tracking store in use, without password, for messages."""
    return without_password(mlflow.get_tracking_uri())


def user_name() -> str:
    """Return the user name that is sent to the tracking server."""
    return os.environ.get("MLFLOW_TRACKING_USERNAME", "no user name")


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise known failures of the store as WorkFailed with an explanation."""
    try:
        yield
    except (MlflowException, OSError) as error:
        if message := _explain(error):
            raise WorkFailed(message) from error
        raise


def _explain(error: Exception) -> str:
    """Return what is wrong with the store and what to do; "" for other errors."""
    store, text = store_address(), str(error)
    first_line = text.partition("\n")[0]
    if is_denied(error):
        return (
            f"the tracking server {store} denies {user_name()} this request: {first_line}; ask its "
            "owner for permission, or choose another experiment or registered model"
        )
    if any(words in text for words in _DISK_FULL):
        return (
            f"the disk of the tracking store {store} is full ({_free_space()}); free some space "
            f"and run again; {_REAP_HINT}"
        )
    if any(words in text for words in _READ_ONLY):
        return (
            f"the tracking store {store} cannot be written ({first_line}); set MLFLOW_TRACKING_URI "
            f"to another store, or start in a writable directory; {_REAP_HINT}"
        )
    if _LOCKED in text:
        return (
            f"the tracking store {store} was locked by another process for minutes; find that "
            f"process (with `fuser`) and run again; {_REAP_HINT}"
        )
    return ""


def _free_space() -> str:
    """Return the free bytes where the store and temporary files are."""
    path = database_path(mlflow.get_tracking_uri())
    folders = {(path.parent if path else Path()).absolute(), Path(tempfile.gettempdir())}
    free = (
        f"{shutil.disk_usage(folder).free:,} bytes free in {folder}" for folder in sorted(folders)
    )
    return ", ".join(free)
