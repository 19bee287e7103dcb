"""Records of a run on disk, until the tracking server has them.

Each run has a directory with `run.json` and one numbered directory per record, in the order in
which they were logged. Records are written completely or not at all.
"""

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import platformdirs

from fmnist import names
from fmnist.errors import BadInput
from fmnist.system.atomic import atomic_dir, remove_dir, remove_unfinished
from fmnist.system.locks import lock_directory

FileWriter = Callable[[Path], None]  # writes files into a directory

_RUN: Final = "run.json"
_BODY: Final = "record.json"
_FILES: Final = "files"
_REJECTED: Final = "rejected-"


class RunRef(NamedTuple):
    """The run that records belong to; the store's URI contains no password."""

    store: str
    run_id: str


class Record(NamedTuple):
    """One logged item, and the directory of the files that belong to it."""

    folder: Path
    body: Mapping[str, Any]
    files: Path


class Journal:
    """The records of one run, locked by one process at a time.

    Raises:
        BadInput: the directory contains no journal.
        BlockingIOError: another process uses it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ref = read_ref(folder)
        self._numbering = threading.Lock()
        self._lock = lock_directory(folder)
        remove_unfinished(folder)
        self._last = max((int(path.name) for path in self._record_folders()), default=0)

    @classmethod
    def create(cls, ref: RunRef) -> "Journal":
        """Create the journal of a run that has none; incomplete remains of one are replaced."""
        folder = journal_root() / ref.run_id
        folder.parent.mkdir(parents=True, exist_ok=True)
        for incomplete in (folder, *folder.parent.glob(f".{folder.name}*")):
            if not (folder / _RUN).exists():
                shutil.rmtree(incomplete, ignore_errors=True)
        with atomic_dir(folder) as work:
            (work / _RUN).write_text(json.dumps(ref._asdict()))
        return cls(folder)

    def append(self, body: Mapping[str, Any], write_files: FileWriter | None = None) -> None:
        """Store a record; on return it survives a power failure.

        Args:
            write_files: writes the files of the record; if it raises, no record is stored.
        """
        with self._numbering:
            number = self._last + 1
            with atomic_dir(self.folder / f"{number:06d}") as work:
                if write_files:
                    (work / _FILES).mkdir()
                    write_files(work / _FILES)
                (work / _BODY).write_text(json.dumps(body))
            self._last = number

    def first(self) -> Record | None:
        """Return the oldest record, None if there is none.

        Raises:
            BadInput: the record is damaged.
        """
        folder = min(self._record_folders(), key=lambda path: int(path.name), default=None)
        if folder is None:
            return None
        try:
            return Record(folder, json.loads((folder / _BODY).read_text()), folder / _FILES)
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{folder}: this record is damaged ({error}); the records after it are uploaded "
                "when that directory is deleted"
            ) from error

    def remove(self, record: Record) -> None:
        remove_dir(record.folder)

    def set_aside(self, record: Record) -> None:
        """Keep a record that the server rejects, so that later records can be uploaded."""
        record.folder.rename(record.folder.with_name(f"{_REJECTED}{record.folder.name}"))

    @property
    def rejected(self) -> list[Path]:
        """Directories of the records that were set aside."""
        return sorted(self.folder.glob(f"{_REJECTED}*"))

    def __len__(self) -> int:
        return len(self._record_folders())

    def close(self) -> None:
        """Release the lock, and delete the journal if it is empty."""
        if not self and not self.rejected:
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def _record_folders(self) -> list[Path]:
        return list(self.folder.glob("[0-9]*"))


def journal_root() -> Path:
    """Return the directory of all journals; it is not in the cache, which may be deleted."""
    directory = os.environ.get(names.JOURNAL_DIR)
    if directory:
        return Path(directory).absolute()
    return platformdirs.user_state_path("fmnist") / "journal"


def check_writable() -> None:
    """Check that journals can be written.

    Raises:
        BadInput: the directory is not writable.
    """
    root = journal_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root).close()
    except OSError as error:
        raise BadInput(
            f"{root}: records for the tracking server cannot be written here "
            f"({error.strerror or error}); set {names.JOURNAL_DIR} to another directory"
        ) from error


def read_ref(folder: Path) -> RunRef:
    """Return the run whose journal the directory contains.

    Raises:
        BadInput: the directory contains no journal.
    """
    try:
        return RunRef(**json.loads((folder / _RUN).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"{folder}: expected the journal of a run with a {_RUN} in it, got {error}"
        ) from error


def find_journals(folder: Path) -> list[Path]:
    """Return the journals in a directory, oldest first; or the directory, if it is a journal."""
    if (folder / _RUN).exists():
        return [folder]
    return sorted((path.parent for path in folder.glob(f"*/{_RUN}")), key=os.path.getmtime)
