"""What to do about errors of the tracking store, by the text of the error."""

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from fmnist.system.redaction import redact, without_password
from fmnist.tracking.address import database_path, tracking_uri

# Texts of sqlite and the operating system, which MLflow and shutil include in their messages.
LOCKED: Final = "database is locked"
_DISK_FULL: Final = (
    "database or disk is full", os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT),
)  # fmt: skip
_READ_ONLY: Final = (
    "readonly database", "unable to open database file",
    os.strerror(errno.EROFS), os.strerror(errno.EACCES),
)  # fmt: skip
_IO_ERROR: Final = ("disk I/O error", os.strerror(errno.EIO))
_REAP_HINT: Final = (
    "everything logged before is kept; `python -m fmnist reap --really` closes a run that is still "
    "RUNNING"
)


def store_address() -> str:
    """Return the URI of the tracking store in use, without password, for messages."""
    return without_password(tracking_uri())


def explain_store_error(text: str) -> str:
    """Return what is wrong with the store and what to do; "" for unknown errors.

    Args:
        text: message of the error.
    """
    store, first_line = store_address(), redact(text.partition("\n")[0])
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
    if any(words in text for words in _IO_ERROR):
        return (
            f"the disk of the tracking store {store} reports an error ({_free_space()}); check the "
            f"disk, its quota and its mount (`dmesg`, `df`), or set MLFLOW_TRACKING_URI to a store "
            f"on another disk; {_REAP_HINT}"
        )
    if LOCKED in text:
        return (
            f"the tracking store {store} was locked by another process for minutes; find that "
            f"process (with `fuser`) and run again; {_REAP_HINT}"
        )
    return ""


def _free_space() -> str:
    """Return the free bytes where the store and temporary files are."""
    path = database_path(tracking_uri())
    folders = {(path.parent if path else Path()).absolute(), Path(tempfile.gettempdir())}
    free = (
        f"{shutil.disk_usage(folder).free:,} bytes free in {folder}" for folder in sorted(folders)
    )
    return ", ".join(free)
