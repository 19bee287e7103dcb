"""Errors of the tracking store: whether to try again, and messages that say what to do.

MLflow's exceptions are recognized by their attributes, because importing MLflow takes seconds.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import requests

from fmnist.errors import WorkFailed
from fmnist.system.redaction import redact
from fmnist.tracking.address import database_path, store_address, tracking_uri

_DENIED: Final = (401, 403)
_TRANSIENT: Final = (408, 429)  # request timeout, too many requests
_SERVER_ERROR: Final = 500
_LOCKED: Final = "database is locked"
# Texts of sqlite and the operating system, which MLflow and shutil include in their messages.
_EXPLANATIONS: Final = {
    ("database or disk is full", os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT)): (
        "the disk of the tracking store {store} is full ({free}); free some space and run again"
    ),
    (
        "readonly database",
        "unable to open database file",
        os.strerror(errno.EROFS),
        os.strerror(errno.EACCES),
    ): (
        "the tracking store {store} cannot be written ({error}); set MLFLOW_TRACKING_URI to "
        "another store, or start in a writable directory"
    ),
    ("disk I/O error", os.strerror(errno.EIO)): (
        "the disk of the tracking store {store} reports an error ({free}); check the disk, its "
        "quota and its mount (`dmesg`, `df`), or set MLFLOW_TRACKING_URI to a store on another disk"
    ),
    (_LOCKED,): (
        "the tracking store {store} was locked by another process for minutes; find that process "
        "(with `fuser`) and run again"
    ),
}
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
    return _LOCKED in str(error)


def already_exists(error: BaseException) -> bool:
    """Whether the object to be created exists already."""
    return getattr(error, "error_code", "") == "RESOURCE_ALREADY_EXISTS"


def http_status(error: BaseException) -> int | None:
    """Return the HTTP status of the response; MLflow reports 500 when there was no response."""
    if status := getattr(error, "get_http_status_code", None):
        return int(status())
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code
    return None


def user_name() -> str:
    """Return the user name that is sent to the tracking server."""
    return os.environ.get("MLFLOW_TRACKING_USERNAME", "no user name")


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise known failures of the store as WorkFailed with an explanation."""
    try:
        yield
    except Exception as error:
        is_of_store = isinstance(error, OSError) or http_status(error) is not None
        if is_of_store and (message := _explain(error)):
            raise WorkFailed(message) from error
        raise


def explain_store_error(text: str) -> str:
    """Return what is wrong with the store and what to do; "" for unknown errors.

    Args:
        text: message of the error.
    """
    for texts, explanation in _EXPLANATIONS.items():
        if any(each in text for each in texts):
            message = explanation.format(
                store=store_address(), free=_free_space(), error=redact(text.partition("\n")[0])
            )
            return f"{message}; {_REAP_HINT}"
    return ""


def _explain(error: Exception) -> str:
    if is_denied(error):
        return (
            f"the tracking server {store_address()} denies {user_name()} this request: "
            f"{redact(str(error).partition(chr(10))[0])}; ask its owner for permission, or choose "
            "another experiment or registered model"
        )
    return explain_store_error(str(error))


def _free_space() -> str:
    """Return the free bytes where the store and temporary files are."""
    path = database_path(tracking_uri())
    folders = {(path.parent if path else Path()).absolute(), Path(tempfile.gettempdir())}
    free = (
        f"{shutil.disk_usage(folder).free:,} bytes free in {folder}" for folder in sorted(folders)
    )
    return ", ".join(free)
