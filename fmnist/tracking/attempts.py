"""How often a request is sent, and how a thing is made exactly once when answers get lost."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import requests
from mlflow.exceptions import MlflowException

T = TypeVar("T")

RETRIES: Final = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
TIMEOUT: Final = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_EXISTS: Final = "RESOURCE_ALREADY_EXISTS"
_DENIED: Final = (401, 403)
_PASSING: Final = (408, 429)  # timeout, too many requests
_FAULT: Final = 500
_PAUSES: Final = (0, 1, 2, 4)  # seconds before each attempt

# MLflow reads its settings from the environment at every request, and all threads share that.
_settings: Final = threading.RLock()


@contextmanager
def requests_with(retries: int, seconds: int | None = None) -> Iterator[None]:
    """Within the block MLflow repeats a request so often; each may take so many seconds."""
    wanted = {RETRIES: str(retries)} | ({TIMEOUT: str(seconds)} if seconds else {})
    with _settings:
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def get_or_create(find: Callable[[], T | None], make: Callable[[], T]) -> T:
    """What is found, or else made: one, though a server may do its work and its answer get lost.

    MLflow would send the request again, and the server make another one.

    Raises:
        Exception: of the last attempt.
    """
    for attempt, pause in enumerate(_PAUSES, start=1):
        time.sleep(pause)
        try:
            with requests_with(retries=0):
                found = find()
                return make() if found is None else found
        except Exception as error:
            if attempt == len(_PAUSES) or not (is_outage(error) or _exists(error)):
                raise
    raise AssertionError("the last attempt returns or raises")


def is_outage(error: BaseException) -> bool:
    """Whether the server, or the way to it, has failed: the same request may go well later."""
    status = _status(error)
    if status is None:
        # Of requests too; and artifacts may lie on a disk that server and client share.
        return isinstance(error, OSError)
    return status >= _FAULT or status in _PASSING


def is_denied(error: BaseException) -> bool:
    """Whether the server does not know this user, or does not let them do this."""
    return _status(error) in _DENIED


def _status(error: BaseException) -> int | None:
    """The HTTP status of the server's answer; MLflow tells 500 where there was none."""
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())  # type: ignore[no-untyped-call]
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code
    return None


def _exists(error: Exception) -> bool:
    return isinstance(error, MlflowException) and error.error_code == _EXISTS
