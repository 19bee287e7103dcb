"""A folder that is written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fmnist.errors import BadInput

UNFINISHED: Final = "."  # what begins so is being written, or being removed


def asked(option: str) -> Path | None:
    """The folder that an option `output_dir` names; None for `none`."""
    return None if option == "none" else Path(os.path.abspath(os.path.expanduser(option)))


def check(folder: Path, ours: Collection[str]) -> None:
    """Return if the folder can be written, or written anew without loss of anything else.

    Args:
        ours: paths within it of files that may be replaced.

    Raises:
        BadInput: something else is there, or nothing can be put there.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise BadInput(f"{folder}: wanted a folder, got a file; name another")
    try:
        inside = (path for path in folder.rglob("*") if not path.is_dir())
        others = {path.relative_to(folder).as_posix() for path in inside} - set(ours)
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.parent).close()
    except OSError as error:
        raise BadInput(
            f"{folder}: wanted a place to write to, got {error.strerror or error}; name another"
        ) from error
    if others:
        raise BadInput(
            f"{folder}: wanted a new or empty folder, or an earlier one of the same kind, got one "
            f"that holds {min(others)}; name another"
        )


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put the files, by their paths within it, in place of whatever the folder held."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as work:
        fresh, old = Path(work, "fresh"), Path(work, "old")
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if folder.is_dir():
            folder.rename(old)
        fresh.rename(folder)


@contextmanager
def atomic_dir(folder: Path) -> Iterator[Path]:
    """A folder to fill, which has its name when the block has ended well, and survives a loss of
    power then; else it is gone, or was left by a process that was killed, see `clear`.
    """
    work = folder.with_name(f"{UNFINISHED}{folder.name}")
    work.mkdir()
    try:
        yield work
        for path in (*work.rglob("*"), work):
            flush(path)
        work.rename(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    flush(folder.parent)


def remove_dir(folder: Path) -> None:
    """Remove a folder, at once and wholly."""
    away = folder.with_name(f"{UNFINISHED}{folder.name}-gone")
    folder.rename(away)
    shutil.rmtree(away)


def clear(folder: Path) -> None:
    """Remove what processes that were killed have left unfinished in the folder."""
    for left in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(left)


def flush(path: Path) -> None:
    """Wait until the file, or the list of a folder's files, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
