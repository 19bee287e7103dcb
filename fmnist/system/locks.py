"""Locks between processes. The kernel releases them when their holder dies."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from fmnist.errors import BadInput


@contextmanager
def exclusive_lock(path: Path, timeout_seconds: float = 0) -> Iterator[str]:
    """Hold a lock during the block.

    Yields "" if the lock was acquired, otherwise a description of the process that holds it. The
    lock file of a dead process does not block.

    Raises:
        BadInput: the file cannot be written.
    """
    lock = filelock.FileLock(path)
    owner = path.with_suffix(".pid")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=timeout_seconds)
        owner.write_text(str(os.getpid()))
    except filelock.Timeout:
        pid = owner.read_text() if owner.exists() else "unknown"
        yield f"process {pid} is already running"
        return
    except OSError as error:
        raise BadInput(
            f"{path}: the lock file cannot be written ({error.strerror or error}); choose a "
            "writable cache_dir"
        ) from error
    try:
        yield ""
    finally:
        lock.release()


def lock_directory(folder: Path) -> int:
    """Lock a directory until the returned file descriptor is closed or this process ends.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    import fcntl  # POSIX only

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
