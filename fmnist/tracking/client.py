"""MLflow's client, so that a database survives what happens to the process that asks it."""

import sys
import time
from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any, Final, ParamSpec, TypeVar

import mlflow
from mlflow.exceptions import MlflowException

from fmnist.system.signals import signals_deferred
from fmnist.tracking.address import is_server, without_password

P = ParamSpec("P")
T = TypeVar("T")

LOCKED: Final = "database is locked"
_PATIENCE_SECONDS: Final = 300.0
_PAUSE_SECONDS: Final = 0.2  # sqlite has waited for 20 s, unless two would wait for each other


class Client(mlflow.MlflowClient):
    """The client of the store in use, each of whose public methods is `answered`."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not isinstance(found, MethodType):
            return found
        return partial(answered, found)


def answered(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The answer of the store in use.

    From a database it comes before a signal takes effect: one that is cut off would leave sqlite
    locked by this very process. Where another process has locked it, it is asked again, and that
    is said. A server is not waited for: a signal ends the question.

    Raises:
        MlflowException: the database is still locked after five minutes.
    """
    uri = mlflow.get_tracking_uri()
    if is_server(uri):
        return ask(*args, **kwargs)
    until = time.monotonic() + _PATIENCE_SECONDS
    said = False
    while True:
        try:
            with signals_deferred():
                return ask(*args, **kwargs)
        except MlflowException as error:
            if LOCKED not in str(error) or time.monotonic() > until:
                raise
        if not said:
            told = f"tracking: {without_password(uri)} is locked by another process; waiting for it"
            print(told, file=sys.stderr, flush=True)
            said = True
        time.sleep(_PAUSE_SECONDS)
