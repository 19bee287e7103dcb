"""Arrays that are dear to compute: found in their folder, or computed by one process at a time."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import filelock

from fmnist.data.sources import cache_root
from fmnist.errors import BadInput, WorkFailed
from fmnist.training.features.entry import ABOUT, Compute, Entry, Floats, Status

_KEY_LENGTH: Final = 32


@dataclass(frozen=True, eq=False)
class Cached:
    """An entry that is whole.

    Args:
        array: (n, d) float32, mapped from its file; writing to it changes no file.
        status: whether it was there, had to be computed, or in parts.
        seconds: that it took to have it now, waiting for other processes included.
        cost: seconds that it took to compute, whenever that was.
    """

    array: Floats
    status: Status
    seconds: float
    cost: float


def folder_of(cache_dir: str) -> Path:
    """The folder that holds the entries; made if need be.

    Raises:
        BadInput: it cannot be written.
    """
    folder = cache_root(cache_dir) / "features"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"cache_dir={cache_dir}: wanted a folder to keep features in, got {error}; "
            "name one that can be written"
        ) from error
    return folder


def cached(
    folder: Path,
    made_of: Mapping[str, str],
    shape: tuple[int, int],
    compute: Compute,
    looks_right: Callable[[Floats], bool] = lambda array: True,
    tell: Callable[[str], None] = print,
) -> Cached:
    """The array made of these things, from the cache or computed now.

    One process computes an entry at a time; others wait for it and find it done.

    Args:
        folder: see `folder_of`.
        made_of: everything the array depends on; decides the name of the entry.
        shape: (n, d) of the array, float32.
        compute: the rows of each slice, (rows, d) float32, in order of the slices.
        looks_right: a last look at an entry that was found, for what checksums cannot see.
        tell: takes one line on whatever is out of the ordinary.

    Raises:
        WorkFailed: the disk has no room.
    """
    started = time.perf_counter()
    key = sha256(json.dumps(dict(made_of), sort_keys=True).encode()).hexdigest()[:_KEY_LENGTH]
    entry = Entry(folder / key, made_of, shape)
    lock = lock_of(entry.whole)

    def say(text: str) -> None:
        tell(f"features {key[:8]}: {text}")

    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        say("another process is computing them; waiting for it")
        lock.acquire()
    try:
        status, cost = entry.bring_up(compute, looks_right, say)
        os.utime(entry.whole / ABOUT)  # by which pruning sees what is in use
        return Cached(entry.mapped(), status, time.perf_counter() - started, cost)
    except OSError as error:
        raise WorkFailed(
            f"{folder}: the features ({entry.bytes:,} bytes) could not be stored: {error}; "
            "make room or name another cache_dir (what is finished is kept)"
        ) from error
    finally:
        lock.release()


def lock_of(entry: Path) -> filelock.FileLock:
    """What a process holds while it reads or changes the entry's files."""
    return filelock.FileLock(entry.with_suffix(".lock"))
