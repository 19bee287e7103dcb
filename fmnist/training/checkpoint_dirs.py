"""The runs that have checkpoints on this machine: a folder each, in the user's folder for state."""

import json
import os
import platform
import re
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from fmnist import names
from fmnist.options import Configuration
from fmnist.system.atomic import atomic_dir, remove_dir
from fmnist.system.locks import lock_directory
from fmnist.training import runtime

_ABOUT: Final = "about.json"
_DAYS: Final = 30  # that a run which nobody goes on with is kept


@dataclass(frozen=True)
class Place:
    """A run's folder, and what its checkpoints are of.

    Args:
        machine: where they were made, as `this_machine` tells it.
    """

    folder: Path
    configuration: Configuration
    machine: Mapping[str, str]

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def is_empty(self) -> bool:
        return not any(self.folder.glob("*/[0-9]*"))


def root() -> Path:
    """Where checkpoints are: not among caches, which may be emptied at any time."""
    named = os.environ.get(names.CHECKPOINT_DIR)
    default = platformdirs.user_state_path("fmnist") / "checkpoints"
    return Path(named).absolute() if named else default


def begin(run_id: str, configuration: Configuration) -> Place:
    """A new place.

    Raises:
        OSError: it cannot be made.
    """
    place = Place(root() / run_id, configuration, this_machine())
    root().mkdir(parents=True, exist_ok=True)
    if place.folder.exists():
        remove_dir(place.folder)
    with atomic_dir(place.folder) as work:
        told = {"configuration": vars(configuration), "machine": place.machine}
        (work / _ABOUT).write_text(json.dumps(told))
    return place


def of_run(run_id: str) -> Place | None:
    """The place of that run, if it has one."""
    folder = root() / run_id
    try:
        told = json.loads((folder / _ABOUT).read_text())
        return Place(folder, Configuration(**told["configuration"]), told["machine"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def there() -> Iterator[Place]:
    """All places."""
    for folder in root().glob("*"):
        if place := of_run(folder.name):
            yield place


def forget_old() -> None:
    """Remove places of runs that nobody went on with for a month."""
    for folder in root().glob("*"):
        with suppress(OSError):  # another process works on it, or was quicker
            newest = max(path.stat().st_mtime for path in (folder, *folder.glob("*")))
            if time.time() - newest > _DAYS * 24 * 3600:
                held = lock_directory(folder)
                shutil.rmtree(folder)
                os.close(held)


def this_machine() -> dict[str, str]:
    """What may change the last digits of a result beside the configuration."""
    threads = f"{runtime.INTRA_OP_THREADS} in an operation, {runtime.INTER_OP_THREADS} operations"
    return {
        "host": socket.gethostname(),
        "processor": _processor(),
        "cores": str(runtime.cores()),
        "threads": threads,
    }


def _processor() -> str:
    with suppress(OSError):  # not on macOS
        if found := re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text()):
            return found[1]
    return platform.processor() or platform.machine()
