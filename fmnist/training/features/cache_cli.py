"""List and prune the feature cache (`python -m fmnist cache list|prune`)."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import filelock

from fmnist.data.sources import cache_root
from fmnist.errors import BadInput
from fmnist.training.features.cache import METADATA, PARTIAL, entry_lock

_DAY_SECONDS: Final = 86_400.0
_LISTED_FIELDS: Final = ("backbone", "input_size", "input_scaling", "feature_layers")


@dataclass(frozen=True)
class CacheEntry:
    """One entry of the cache.

    Args:
        bytes: size on disk.
        last_used: time of the last use, in seconds since 1970.
        key_fields: what the features depend on; empty if unreadable.
    """

    folder: Path
    bytes: int
    last_used: float
    key_fields: Mapping[str, str]

    @property
    def days_unused(self) -> float:
        return (time.time() - self.last_used) / _DAY_SECONDS

    def __str__(self) -> str:
        description = "  ".join(self.key_fields.get(name, "?") for name in _LISTED_FIELDS)
        weights, images = (self.key_fields.get(name, "?")[:8] for name in ("weights", "images"))
        unfinished = "  unfinished" if self.folder.suffix == PARTIAL else ""
        return (
            f"{self.folder.stem[:8]}  {self.bytes / 1e6:>8,.1f} MB  unused for "
            f"{self.days_unused:.1f} days  {description}  weights {weights}  images {images}"
            f"{unfinished}"
        )


def list_cache(cache_dir: str) -> None:
    """Print the entries of the cache and their total size."""
    folder = cache_root(cache_dir) / "features"
    for entry in read_entries(folder):
        print(entry)
    _print_total(folder)


def prune_cache(
    cache_dir: str, unused_days: float | None = None, keep_gigabytes: float | None = None
) -> None:
    """Remove entries by age or size, and print them.

    Raises:
        BadInput: neither limit is given.
    """
    if unused_days is None and keep_gigabytes is None:
        raise BadInput("cache prune: expected unused_days or keep_gigabytes, got neither")
    folder = cache_root(cache_dir) / "features"
    keep_bytes = None if keep_gigabytes is None else int(keep_gigabytes * 1e9)
    for entry in prune(folder, unused_days=unused_days, keep_bytes=keep_bytes):
        print(f"removed {entry}")
    _print_total(folder)


def read_entries(folder: Path) -> list[CacheEntry]:
    """All entries, the least recently used first."""
    paths = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted(map(_read_entry, paths), key=lambda entry: entry.last_used)


def prune(folder: Path, *, unused_days: float | None, keep_bytes: int | None) -> list[CacheEntry]:
    """Remove entries, except those that a process is using, and return them.

    Args:
        unused_days: remove entries that were not used for longer.
        keep_bytes: remove the least recently used entries until at most this many bytes remain.
    """
    entries = read_entries(folder)
    remaining_bytes = sum(entry.bytes for entry in entries)
    removed = []
    for entry in entries:
        is_old = unused_days is not None and entry.days_unused > unused_days
        is_too_much = keep_bytes is not None and remaining_bytes > keep_bytes
        if (is_old or is_too_much) and _remove(entry):
            removed.append(entry)
            remaining_bytes -= entry.bytes
    return removed


def _read_entry(folder: Path) -> CacheEntry:
    metadata = folder / METADATA
    try:
        key_fields = dict(json.loads(metadata.read_text())["made_of"])
        last_used = metadata.stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):
        key_fields, last_used = {}, folder.stat().st_mtime
    size = sum(file.stat().st_blocks * 512 for file in folder.iterdir())
    return CacheEntry(folder, size, last_used, key_fields)


def _remove(entry: CacheEntry) -> bool:
    try:
        with entry_lock(entry.folder).acquire(timeout=0):
            shutil.rmtree(entry.folder)
    except filelock.Timeout:
        return False
    return True


def _print_total(folder: Path) -> None:
    entries = read_entries(folder)
    megabytes = sum(entry.bytes for entry in entries) / 1e6
    print(f"{len(entries)} entries, {megabytes:,.0f} MB in {folder}")
