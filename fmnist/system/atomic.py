"""Directories that are written completely or not at all."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fmnist.errors import BadInput

UNFINISHED: Final = "."  # prefix of directories that are being written or removed


def output_path(option: str) -> Path | None:
    """Return the absolute directory that an option `output_dir` names; None for `none`."""
    return None if option == "none" else Path(os.path.abspath(os.path.expanduser(option)))


def check_replaceable(folder: Path, replaceable: Collection[str]) -> None:
    """Check that `replace_dir` can write the directory without deleting files of the user.

    Args:
        replaceable: paths within the directory of files that may be overwritten.

    Raises:
        BadInput: the directory contains other files, or cannot be written.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise BadInput(f"{folder}: expected a directory, got a file; choose another path")
    try:
        files = (path for path in folder.rglob("*") if not path.is_dir())
        others = {path.relative_to(folder).as_posix() for path in files} - set(replaceable)
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.parent).close()
    except OSError as error:
        raise BadInput(
            f"{folder}: cannot be written ({error.strerror or error}); choose another directory"
        ) from error
    if others:
        raise BadInput(
            f"{folder}: expected an empty directory or an earlier output of the same command, but "
            f"it contains {min(others)}; choose another directory"
        )


def replace_dir(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replace a directory by one with these files; if that fails, the previous one stays."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as work:
        new, previous = Path(work, "new"), Path(work, "previous")
        write_files(files, new)
        if folder.is_dir():
            folder.rename(previous)
        try:
            new.rename(folder)
        except OSError:
            if previous.is_dir():
                previous.rename(folder)
            raise


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files, by their paths within the directory."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@contextmanager
def atomic_dir(folder: Path) -> Iterator[Path]:
    """Yield a temporary directory that is flushed to disk and renamed to `folder` at the end.

    If the block raises, the temporary directory is removed. One left by a killed process is
    removed by `remove_unfinished`.
    """
    work = folder.with_name(f"{UNFINISHED}{folder.name}")
    work.mkdir()
    try:
        yield work
        for path in (*work.rglob("*"), work):
            fsync_path(path)
        work.rename(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    fsync_path(folder.parent)


def remove_dir(folder: Path) -> None:
    """Remove a directory; other processes see either all of it or nothing."""
    removed = folder.with_name(f"{UNFINISHED}{folder.name}-removed")
    folder.rename(removed)
    shutil.rmtree(removed)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left unfinished in the directory."""
    for path in folder.glob(f"{UNFINISHED}*"):
        shutil.rmtree(path)


def fsync_path(path: Path) -> None:
    """Flush a file, or the entries of a directory, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
