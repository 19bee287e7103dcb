"""What is told of a run, kept on disk until the tracking server has it.

A folder for each run; in it a folder for each record, which appears whole or not at all, in the
order in which things were told.
"""

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import platformdirs

from fmnist import names
from fmnist.errors import BadInput
from fmnist.system.atomic import atomic_dir, fsync_path, remove_dir, remove_unfinished
from fmnist.system.locks import lock_directory

Fill = Callable[[Path], None]

_ABOUT: Final = "run.json"
_BODY: Final = "record.json"
_FILES: Final = "files"
_REFUSED: Final = "refused-"


@dataclass(frozen=True)
class RunRef:
    """Whose records they are: a run of a store, whose address holds no password."""

    store: str
    run_id: str


@dataclass(frozen=True)
class Record:
    """One thing that was told, and the files that belong to it."""

    folder: Path
    body: Mapping[str, Any]

    @property
    def files(self) -> Path:
        return self.folder / _FILES


class Journal:
    """The records of one run; one process has them at a time.

    The lock is the kernel's, on the folder itself: a process that was killed holds none.
    """

    def __init__(self, folder: Path, about: RunRef) -> None:
        self.folder = folder
        self.about = about
        self._numbering = threading.Lock()
        self._lock = lock_directory(folder)
        remove_unfinished(folder)
        self._last = max((_number(path) for path in self._whole()), default=0)

    @classmethod
    def of_run(cls, about: RunRef) -> "Journal":
        """A journal for a run that has none."""
        folder = root() / about.run_id
        folder.mkdir(parents=True)
        _write(folder / _ABOUT, vars(about))
        return cls(folder, about)

    @classmethod
    def found(cls, folder: Path) -> "Journal":
        """The journal that lies in a folder.

        Raises:
            BadInput: there is none.
            BlockingIOError: another process has it.
        """
        return cls(folder, about(folder))

    def append(self, body: Mapping[str, Any], fill: Fill | None = None) -> None:
        """Keep a record; on return it survives a loss of power.

        Args:
            fill: writes the files of the record into a folder; when it raises, there is no record.
        """
        with self._numbering:  # the files of a record may take long, and others wait their turn
            number = self._last + 1
            with atomic_dir(self.folder / f"{number:06d}") as work:
                if fill:
                    (work / _FILES).mkdir()
                    fill(work / _FILES)
                (work / _BODY).write_text(json.dumps(body))
            self._last = number

    def first(self) -> Record | None:
        """The oldest record, None when there is none.

        Raises:
            BadInput: it was damaged after it was written.
        """
        if not (whole := self._whole()):
            return None
        folder = min(whole, key=_number)
        try:
            return Record(folder, json.loads((folder / _BODY).read_text()))
        except (OSError, ValueError) as error:
            raise BadInput(
                f"{folder}: wanted a whole record, got a damaged one ({error}); what comes after "
                "it is whole, and goes out when that folder is deleted"
            ) from error

    def remove(self, record: Record) -> None:
        """Forget a record, at once and wholly."""
        remove_dir(record.folder)

    def set_aside(self, record: Record) -> None:
        """Keep a record that the store refuses, out of the way of those after it."""
        record.folder.rename(record.folder.with_name(f"{_REFUSED}{record.folder.name}"))

    @property
    def refused(self) -> list[Path]:
        """The records that were set aside."""
        return sorted(self.folder.glob(f"{_REFUSED}*"))

    def __len__(self) -> int:
        return len(self._whole())

    def close(self) -> None:
        """Let others have it; an empty journal goes."""
        if not self and not self.refused:
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def _whole(self) -> list[Path]:
        return list(self.folder.glob("[0-9]*"))


def root() -> Path:
    """Where journals are kept: not among caches, which may be emptied at any time."""
    named = os.environ.get(names.JOURNAL_DIR)
    return Path(named).absolute() if named else platformdirs.user_state_path("fmnist") / "journal"


def check_place() -> None:
    """Return if journals can be kept.

    Raises:
        BadInput: nothing can be written there.
    """
    try:
        root().mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root()).close()
    except OSError as error:
        raise BadInput(
            f"{root()}: wanted a place to keep what the tracking server has not got yet, got "
            f"{error.strerror or error}; name another in {names.JOURNAL_DIR}"
        ) from error


def about(folder: Path) -> RunRef:
    """Whose records the folder holds.

    Raises:
        BadInput: it is no journal.
    """
    try:
        return RunRef(**json.loads((folder / _ABOUT).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"{folder}: wanted the journal of a run, with a {_ABOUT} in it, got {error}"
        ) from error


def folders(place: Path) -> list[Path]:
    """The journals in a folder, the oldest first: itself, or those that lie in it."""
    if (place / _ABOUT).exists():
        return [place]
    return sorted((path.parent for path in place.glob(f"*/{_ABOUT}")), key=os.path.getmtime)


def _number(path: Path) -> int:
    return int(path.name)


def _write(path: Path, body: Mapping[str, Any]) -> None:
    work = path.with_name(f"{path.name}.new")
    work.write_text(json.dumps(body))
    fsync_path(work)
    work.replace(path)
    fsync_path(path.parent)
