"""Classification of tracking store errors, and messages that say what to do about them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import requests
from mlflow.exceptions import MlflowException

from fmnist.errors import WorkFailed
from fmnist.system.redaction import redact
from fmnist.tracking.messages import LOCKED, explain_store_error, store_address

_DENIED: Final = (401, 403)
_TRANSIENT: Final = (408, 429)  # request timeout, too many requests
_SERVER_ERROR: Final = 500
_EXISTS: Final = "RESOURCE_ALREADY_EXISTS"


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
    return isinstance(error, MlflowException) and LOCKED in str(error)


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
    if is_denied(error):
        return (
            f"the tracking server {store_address()} denies {user_name()} this request: "
            f"{redact(str(error).partition(chr(10))[0])}; ask its owner for permission, or choose "
            "another experiment or registered model"
        )
    return explain_store_error(str(error))
