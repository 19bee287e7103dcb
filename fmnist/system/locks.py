"""One process at a time: a lock that the kernel lets go of when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from fmnist.errors import BadInput


@contextmanager
def alone(path: Path, patience_seconds: float = 0) -> Iterator[str]:
    """A lock held for the block: gives "", or who holds it, when another process still does after
    the patience.

    The lock is the kernel's (flock), not the file: one that a dead process left behind is free.

    Raises:
        BadInput: the file cannot be written.
    """
    lock = filelock.FileLock(path)
    owner = path.with_suffix(".pid")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=patience_seconds)
        owner.write_text(str(os.getpid()))
    except filelock.Timeout:
        yield f"process {owner.read_text() if owner.exists() else 'unknown'} is at it already"
        return
    except OSError as error:
        raise BadInput(
            f"{path}: wanted a file to lock, got {error.strerror or error}; name a cache_dir that "
            "can be written"
        ) from error
    try:
        yield ""
    finally:
        lock.release()


def hold(folder: Path) -> int:
    """A lock on a folder, held until the number that it gives is closed, or this process ends.

    Raises:
        BlockingIOError: another process holds it.
    """
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise
    return held
