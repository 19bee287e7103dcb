"""MLflow's client, made robust against outages, locked databases, signals and lost responses."""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import MethodType
from typing import Any, Final, ParamSpec, TypeVar

import mlflow
from mlflow.store.entities import PagedList

from fmnist.system.signals import signals_deferred
from fmnist.tracking.address import is_server
from fmnist.tracking.errors import already_exists, is_locked, is_outage, store_address

P = ParamSpec("P")
T = TypeVar("T")

_RETRY_PAUSES: Final = (1, 2, 4, 8)  # seconds before each repetition
_LOCK_TIMEOUT_SECONDS: Final = 300.0
_LOCK_PAUSE_SECONDS: Final = 0.2  # sqlite itself waits for 20 s


class Client(mlflow.MlflowClient):
    """Client of the store in use that passes each public call through `call_store`.

    `create_…` methods are not repeated, because a lost response does not mean that nothing was
    created; use `get_or_create` for these.
    """

    def __getattribute__(self, name: str) -> Any:
        attribute = super().__getattribute__(name)
        if name.startswith("_") or not isinstance(attribute, MethodType):
            return attribute
        if is_server(mlflow.get_tracking_uri()) and name.startswith("create_"):
            return attribute
        return partial(call_store, attribute)


def call_store(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses the store.

    Requests to a server are repeated after an outage, for about 15 s. A call to a database defers
    signals, since an interrupted call would leave sqlite locked by this process, and waits up to
    five minutes while another process has the database locked.
    """
    if is_server(mlflow.get_tracking_uri()):
        for pause in _RETRY_PAUSES:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                if not is_outage(error):
                    raise
            time.sleep(pause)
        return function(*args, **kwargs)
    return _call_database(partial(function, *args, **kwargs))


def _call_database(function: Callable[[], T]) -> T:
    deadline, announced = time.monotonic() + _LOCK_TIMEOUT_SECONDS, False
    while True:
        try:
            with signals_deferred():
                return function()
        except Exception as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise
        if not announced:
            print(
                f"tracking: {store_address()} is locked by another process; waiting for it",
                file=sys.stderr,
                flush=True,
            )
            announced = True
        time.sleep(_LOCK_PAUSE_SECONDS)


def get_or_create(find: Callable[[], T | None], create: Callable[[], T]) -> T:
    """Return what `find` finds, otherwise what `create` creates, exactly once.

    When the response to `create` is lost, `find` runs again before the next attempt.
    """
    for pause in _RETRY_PAUSES:
        if (existing := find()) is not None:
            return existing
        try:
            return create()
        except Exception as error:
            if not (is_outage(error) or already_exists(error)):
                raise
        time.sleep(pause)
    existing = find()
    return create() if existing is None else existing


def search_all(search: Callable[..., PagedList[T]], *args: Any, **kwargs: Any) -> Iterator[T]:
    """Yield the results of all pages of a `search_…` method of the client."""
    token: str | None = ""
    while token is not None:
        page = search(*args, page_token=token or None, **kwargs)
        yield from page
        token = page.token or None
