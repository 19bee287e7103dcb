"""Find the unfinished run that a training continues, and the directory of its checkpoints.

Every run has a directory, named by its id, in the user's state directory: caches may be emptied at
any time.
"""

import json
import os
import platform
import re
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from fmnist import names
from fmnist.errors import BadInput
from fmnist.options import Configuration, Train
from fmnist.system.atomic import atomic_dir, remove_dir
from fmnist.system.locks import lock_directory
from fmnist.training import runtime

_METADATA: Final = "about.json"
_KEPT_SECONDS: Final = 30 * 24 * 3600  # of runs that nobody resumes


@dataclass(frozen=True)
class CheckpointDir:
    """The directory with the checkpoints of a run.

    Args:
        machine: where the run was started, see `describe_machine`.
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


class ResumeState:
    """Whether a training has checkpoints, and which run it resumes.

    Args:
        enabled: whether to write checkpoints.
        earlier: directory of the run to resume, locked by this process; None for a new run.
    """

    def __init__(
        self, configuration: Configuration, *, enabled: bool, earlier: CheckpointDir | None
    ) -> None:
        self._configuration = configuration
        self._enabled = enabled
        self._folder = earlier.folder if earlier else None
        self._warning = ""
        self.run_id = earlier.run_id if earlier else None
        if earlier:
            print(f"train: resuming run {self.run_id} (resume=off starts a new run)", flush=True)
            self._warning = _machine_warning(earlier)
        if self._warning:
            print(f"train: warning: {self._warning}", file=sys.stderr, flush=True)

    @property
    def tags(self) -> dict[str, str]:
        return self._configuration.tags | (
            {names.TAG_RESUMED_WITH: self._warning} if self._warning else {}
        )

    def checkpoint_dir(self, run_id: str) -> Path | None:
        """The directory for checkpoints of the run, created if necessary; None without one."""
        if self._enabled and self._folder is None:
            try:
                self._folder = create_checkpoint_dir(run_id, self._configuration)
                lock_directory(self._folder)
            except OSError as error:
                print(
                    f"checkpoints: cannot write to {checkpoint_root()} "
                    f"({error.strerror or error}); set {names.CHECKPOINT_DIR} to another "
                    "directory. Training continues without checkpoints",
                    flush=True,
                )
        return self._folder

    def remove_checkpoints(self) -> None:
        """Remove the checkpoints of a run that is finished and stored."""
        if self._folder:
            with suppress(OSError):  # `_remove_old_checkpoints` will remove it
                remove_dir(self._folder)


def find_resume_state(options: Train, configuration: Configuration) -> ResumeState:
    """Find the run to resume according to the options `resume` and `checkpoints`.

    Raises:
        BadInput: the run `resume` cannot be resumed, or has another configuration.
    """
    if options.checkpoints == "off":
        return ResumeState(configuration, enabled=False, earlier=None)
    _remove_old_checkpoints()
    earlier = None
    if options.resume == "auto":
        earlier = _find_newest(configuration)
    elif options.resume != "off":
        earlier = _find_by_id(options.resume, configuration)
    return ResumeState(configuration, enabled=True, earlier=earlier)


def checkpoint_root() -> Path:
    """The directory that contains the checkpoint directories of all runs."""
    if path := os.environ.get(names.CHECKPOINT_DIR):
        return Path(path).absolute()
    return platformdirs.user_state_path("fmnist") / "checkpoints"


def create_checkpoint_dir(run_id: str, configuration: Configuration) -> Path:
    """Create an empty checkpoint directory.

    Raises:
        OSError: it cannot be written.
    """
    folder = checkpoint_root() / run_id
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        remove_dir(folder)
    with atomic_dir(folder) as work:
        metadata = {"configuration": vars(configuration), "machine": describe_machine()}
        (work / _METADATA).write_text(json.dumps(metadata))
    return folder


def read_checkpoint_dir(run_id: str) -> CheckpointDir | None:
    """Read the metadata of a run's checkpoint directory; None if there is none."""
    folder = checkpoint_root() / run_id
    try:
        metadata = json.loads((folder / _METADATA).read_text())
        configuration = Configuration(**metadata["configuration"])
        return CheckpointDir(folder, configuration, metadata["machine"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def describe_machine() -> dict[str, str]:
    """What may change the last digits of a result besides the configuration."""
    processor = platform.processor() or platform.machine()
    with suppress(OSError):  # not on macOS
        if match := re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text()):
            processor = match[1]
    cores = str(runtime.count_cores())
    return {"host": socket.gethostname(), "processor": processor, "cores": cores}


def _find_newest(configuration: Configuration) -> CheckpointDir | None:
    """Find and lock the newest unfinished run of the configuration that has a checkpoint."""
    candidates = {
        candidate.run_id: candidate
        for path in checkpoint_root().glob("*")
        if (candidate := read_checkpoint_dir(path.name))
        and candidate.configuration == configuration
        and not candidate.is_empty
    }
    if not candidates:
        return None
    from fmnist.tracking import search

    run_id = search.find_run_to_resume("auto", "train", configuration.digest, candidates)
    if run_id is None:
        return None
    try:
        lock_directory(candidates[run_id].folder)
    except (BlockingIOError, FileNotFoundError):  # another process resumed or finished it
        return None
    return candidates[run_id]


def _find_by_id(run_id: str, configuration: Configuration) -> CheckpointDir:
    earlier = read_checkpoint_dir(run_id)
    if earlier is None or earlier.is_empty:
        raise BadInput(
            f"resume={run_id}: no checkpoint of that run in {checkpoint_root()}; expected the id "
            "of a run that was interrupted on this machine after its first epoch, or auto"
        )
    _check_same_configuration(run_id, earlier.configuration, configuration)
    from fmnist.tracking import search

    search.find_run_to_resume(run_id, "train", configuration.digest)
    try:
        lock_directory(earlier.folder)
    except (BlockingIOError, FileNotFoundError) as error:
        raise BadInput(f"resume={run_id}: another process is training that run") from error
    return earlier


def _check_same_configuration(run_id: str, old: Configuration, new: Configuration) -> None:
    def flatten(configuration: Configuration) -> dict[str, str]:
        digests = {"data": configuration.data, "code": configuration.code}
        return {**configuration.options, **digests, **configuration.libraries}

    requested = flatten(new)
    for name, value in flatten(old).items():
        if requested.get(name) != value:
            raise BadInput(
                f"resume={run_id}: that run has {name}={value}, got {name}={requested.get(name)}; "
                "only the same options, data, code and library versions can resume it. Use those, "
                "or start a new run (resume=off)"
            )


def _machine_warning(earlier: CheckpointDir) -> str:
    """Describe how this machine differs from the one that wrote the checkpoints; "" if not."""
    machine = describe_machine()
    changes = [
        f"{name} {earlier.machine.get(name)}, now {value}"
        for name, value in machine.items()
        if earlier.machine.get(name) != value
    ]
    if not changes:
        return ""
    return (
        f"run {earlier.run_id} was started on another machine ({'; '.join(changes)}): the last "
        "digits of the remaining epochs may differ"
    )


def _remove_old_checkpoints() -> None:
    for folder in checkpoint_root().glob("*"):
        with suppress(OSError):  # locked or already removed by another process
            modified = max(path.stat().st_mtime for path in (folder, *folder.glob("*")))
            if time.time() - modified > _KEPT_SECONDS:
                descriptor = lock_directory(folder)
                shutil.rmtree(folder)
                os.close(descriptor)
