"""A folder that is written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fmnist.errors import BadInput


def check(folder: Path, marker: str) -> None:
    """Return if the folder can be written, or written anew.

    Args:
        marker: a file that tells a folder that was written before from a user's own.

    Raises:
        BadInput: something else is there, or nothing can be put there.
    """
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / marker).is_file():
            raise BadInput(
                f"{folder}: wanted a new folder, an empty one, or one with an earlier {marker}, "
                "got one with other files; name another"
            )
    elif os.path.lexists(folder):
        raise BadInput(f"{folder}: wanted a folder, got a file; name another")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.parent).close()
    except OSError as error:
        raise BadInput(
            f"{folder}: wanted a place to write to, got {error.strerror or error}; name another"
        ) from error


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
