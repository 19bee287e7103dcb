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
from fmnist.training.features.cache import METADATA, entry_lock

_DAY_SECONDS: Final = 86_400.0
_LISTED_FIELDS: Final = ("backbone", "input_size", "input_scaling", "feature_layers")


@dataclass(frozen=True)
class CacheEntry:
    """One entry of the cache.

    Args:
        bytes: size on disk.
        last_used: time of the last use, in seconds since 1970.
        key_fields: what the features depend on; empty if unreadable.
        is_complete: whether all features are computed.
    """

    folder: Path
    bytes: int
    last_used: float
    key_fields: Mapping[str, str]
    is_complete: bool

    @property
    def days_unused(self) -> float:
        return (time.time() - self.last_used) / _DAY_SECONDS

    def __str__(self) -> str:
        description = "  ".join(self.key_fields.get(name, "?") for name in _LISTED_FIELDS)
        weights, images = (self.key_fields.get(name, "?")[:8] for name in ("weights", "images"))
        return (
            f"{self.folder.name[:8]}  {self.bytes / 1e6:>8,.1f} MB  unused for "
            f"{self.days_unused:.1f} days  {description}  weights {weights}  images {images}"
            + "  unfinished"
            * (not self.is_complete)
        )


def list_cache(cache_dir: str) -> None:
    """Print the entries of the cache and their total size."""
    for entry in read_entries(cache_dir):
        print(entry)
    _print_total(cache_dir)


def prune_cache(
    cache_dir: str, unused_days: float | None = None, keep_gigabytes: float | None = None
) -> None:
    """Remove entries, except those that a process is using, and print them.

    Args:
        unused_days: remove entries that were not used for longer.
        keep_gigabytes: remove the least recently used entries until at most this much remains.

    Raises:
        BadInput: neither limit is given.
    """
    if unused_days is None and keep_gigabytes is None:
        raise BadInput("cache prune: expected unused_days or keep_gigabytes, got neither")
    entries = read_entries(cache_dir)
    remaining_bytes = sum(entry.bytes for entry in entries)
    for entry in entries:
        is_old = unused_days is not None and entry.days_unused > unused_days
        is_too_much = keep_gigabytes is not None and remaining_bytes > keep_gigabytes * 1e9
        if is_old or is_too_much:
            try:
                with entry_lock(entry.folder).acquire(timeout=0):
                    shutil.rmtree(entry.folder)
            except filelock.Timeout:
                continue
            print(f"removed {entry}")
            remaining_bytes -= entry.bytes
    _print_total(cache_dir)


def read_entries(cache_dir: str) -> list[CacheEntry]:
    """All entries, the least recently used first."""
    folders = (path for path in (cache_root(cache_dir) / "features").glob("*") if path.is_dir())
    return sorted(map(_read_entry, folders), key=lambda entry: entry.last_used)


def _read_entry(folder: Path) -> CacheEntry:
    path = folder / METADATA
    try:
        metadata = json.loads(path.read_text())
        key_fields, is_complete = dict(metadata["made_of"]), None not in metadata["checksums"]
        last_used = path.stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):
        key_fields, is_complete, last_used = {}, False, folder.stat().st_mtime
    size = sum(file.stat().st_blocks * 512 for file in folder.iterdir())
    return CacheEntry(folder, size, last_used, key_fields, is_complete)


def _print_total(cache_dir: str) -> None:
    entries = read_entries(cache_dir)
    megabytes = sum(entry.bytes for entry in entries) / 1e6
    print(f"{len(entries)} entries, {megabytes:,.0f} MB in {cache_root(cache_dir) / 'features'}")
