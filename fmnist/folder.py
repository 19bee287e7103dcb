"""A folder that is written whole or not at all."""

import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from fmnist.errors import BadInput


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
