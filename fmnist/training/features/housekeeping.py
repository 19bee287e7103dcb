"""What the cache of features holds, and making room in it."""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import filelock

from fmnist.training.features.entry import ABOUT, PARTIAL
from fmnist.training.features.store import lock_of

_DAY: Final = 86_400.0


@dataclass(frozen=True)
class Entry:
    """One entry of the cache.

    Args:
        folder: of its files.
        bytes: on the disk.
        used: seconds since 1970 when a fit last asked for it.
        whole: whether it was computed to its end.
        made_of: what it was computed from; empty when that cannot be read.
    """

    folder: Path
    bytes: int
    used: float
    whole: bool
    made_of: Mapping[str, str]

    @property
    def days_unused(self) -> float:
        return (time.time() - self.used) / _DAY


def entries(folder: Path) -> list[Entry]:
    """All entries, the least recently used first."""
    return sorted(_read(folder), key=lambda entry: entry.used)


def prune(folder: Path, *, unused_days: float | None, keep_bytes: int | None) -> list[Entry]:
    """The entries that were removed; one that a process works on now is left alone.

    Args:
        unused_days: remove what was not used for longer.
        keep_bytes: remove the least recently used until no more bytes are left.
    """
    found = entries(folder)
    left = sum(entry.bytes for entry in found)
    removed = []
    for entry in found:
        old = unused_days is not None and entry.days_unused > unused_days
        too_much = keep_bytes is not None and left > keep_bytes
        if (old or too_much) and _remove(entry):
            removed.append(entry)
            left -= entry.bytes
    return removed


def _read(folder: Path) -> Iterator[Entry]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if not path.is_dir():
            continue
        about = path / ABOUT
        try:
            made_of = dict(json.loads(about.read_text())["made_of"])
            used = about.stat().st_mtime
        except (OSError, ValueError, KeyError, TypeError):
            made_of, used = {}, path.stat().st_mtime
        size = sum(file.stat().st_blocks * 512 for file in path.iterdir())
        yield Entry(path, size, used, path.suffix != PARTIAL, made_of)


def _remove(entry: Entry) -> bool:
    lock = lock_of(entry.folder)
    try:
        with lock.acquire(timeout=0):
            shutil.rmtree(entry.folder)
    except filelock.Timeout:
        return False
    return True
