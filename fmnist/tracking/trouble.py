"""What keeps a store from being written, in words that say what to do."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import mlflow
from mlflow.exceptions import MlflowException

from fmnist.errors import WorkFailed
from fmnist.tracking.address import is_server, without_password
from fmnist.tracking.attempts import is_denied
from fmnist.tracking.client import LOCKED

# Words of sqlite, and of the system; MLflow and shutil pass them on within their own.
_FULL: Final = ("database or disk is full", os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
_READ_ONLY: Final = (
    "readonly database", "unable to open database file",
    os.strerror(errno.EROFS), os.strerror(errno.EACCES),
)  # fmt: skip
_CLOSED_LATER: Final = (
    "what was logged before is kept; a run that still says RUNNING is closed by "
    "`python -m fmnist reap --really`"
)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Of an exception whose cause is the store, and is known, only the cause is told.

    Raises:
        WorkFailed: instead of that exception.
    """
    try:
        yield
    except (MlflowException, OSError) as error:
        if told := explained(error):
            raise WorkFailed(told) from error
        raise


def explained(error: Exception) -> str:
    """What is wrong with the store and what to do; "" where this is another kind of fault."""
    store, text = without_password(mlflow.get_tracking_uri()), str(error)
    if is_denied(error):
        user = os.environ.get("MLFLOW_TRACKING_USERNAME", "no user name")
        return (
            f"the tracking server {store} lets {user} in, but not do this: "
            f"{text.splitlines()[0]}; ask its owner for permission, or choose another experiment "
            "or registered model"
        )
    if any(words in text for words in _FULL):
        return (
            f"no room is left for the tracking store {store} ({_room()}); "
            f"make some and run again; {_CLOSED_LATER}"
        )
    if any(words in text for words in _READ_ONLY):
        return (
            f"the tracking store {store} cannot be written ({text.splitlines()[0]}); name another "
            f"in MLFLOW_TRACKING_URI, or start where you may write; {_CLOSED_LATER}"
        )
    if LOCKED in text:
        return (
            f"the tracking store {store} was locked by another process for minutes; find that "
            f"(`fuser` names it) and run again; {_CLOSED_LATER}"
        )
    return ""


def _room() -> str:
    """How much room there is where the store is, or in this folder, and for temporary files."""
    uri = mlflow.get_tracking_uri()
    store = Path() if is_server(uri) else Path(urlsplit(uri).path[1:]).parent
    places = {store.absolute(), Path(tempfile.gettempdir())}
    free = (f"{shutil.disk_usage(place).free:,} bytes free in {place}" for place in sorted(places))
    return ", ".join(free)
