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


@dataclass
class ResumeState:
    """Whether a training has checkpoints, and which run it resumes.

    Args:
        enabled: whether to write checkpoints.
        run_id: the run to resume, whose directory this process has locked; None for a new run.
        warning: how this machine differs from the one that started the run; "" if not.
    """

    configuration: Configuration
    enabled: bool = True
    run_id: str | None = None
    warning: str = ""

    def __post_init__(self) -> None:
        self._folder = checkpoint_root() / self.run_id if self.run_id else None

    @property
    def tags(self) -> dict[str, str]:
        resumed_with = {names.TAG_RESUMED_WITH: self.warning} if self.warning else {}
        return self.configuration.tags | resumed_with

    def checkpoint_dir(self, run_id: str) -> Path | None:
        """The directory for checkpoints of the run, created if necessary; None without one."""
        if self.enabled and self._folder is None:
            try:
                self._folder = create_checkpoint_dir(run_id, self.configuration)
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
        return ResumeState(configuration, enabled=False)
    _remove_old_checkpoints()
    stored = _read_stored_runs()
    requested = None if options.resume in ("auto", "off") else options.resume
    if requested:
        if requested not in stored:
            raise BadInput(
                f"resume={requested}: no checkpoint of that run in {checkpoint_root()}; expected "
                "the id of a run that was interrupted on this machine after its first epoch, or "
                "auto"
            )
        _check_same_configuration(requested, stored[requested][0], configuration)
    suitable = [run_id for run_id, (earlier, _) in stored.items() if earlier == configuration]
    if options.resume == "off" or not (requested or suitable):
        return ResumeState(configuration)

    from fmnist.tracking import search

    run_id = search.find_run_to_resume(options.resume, "train", configuration.digest, suitable)
    if run_id is None:
        return ResumeState(configuration)
    try:
        lock_directory(checkpoint_root() / run_id)
    except (BlockingIOError, FileNotFoundError) as error:  # in use, or finished meanwhile
        if not requested:
            return ResumeState(configuration)
        raise BadInput(f"resume={run_id}: another process is training that run") from error
    print(f"train: resuming run {run_id} (resume=off starts a new run)", flush=True)
    warning = _machine_warning(run_id, stored[run_id][1])
    if warning:
        print(f"train: warning: {warning}", file=sys.stderr, flush=True)
    return ResumeState(configuration, run_id=run_id, warning=warning)


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


def describe_machine() -> dict[str, str]:
    """What may change the last digits of a result besides the configuration."""
    processor = platform.processor() or platform.machine()
    with suppress(OSError):  # not on macOS
        if match := re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text()):
            processor = match[1]
    cores = str(runtime.count_cores())
    return {"host": socket.gethostname(), "processor": processor, "cores": cores}


def _read_stored_runs() -> dict[str, tuple[Configuration, dict[str, str]]]:
    """Configuration and machine of each run that has a checkpoint, by run id."""
    stored = {}
    for path in checkpoint_root().glob(f"*/{_METADATA}"):
        if any(path.parent.glob("*/[0-9]*")):
            # Removed meanwhile, or written by another version.
            with suppress(OSError, ValueError, TypeError, KeyError):
                metadata = json.loads(path.read_text())
                configuration = Configuration(**metadata["configuration"])
                stored[path.parent.name] = configuration, metadata["machine"]
    return stored


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


def _machine_warning(run_id: str, earlier: Mapping[str, str]) -> str:
    changes = [
        f"{name} {earlier.get(name)}, now {value}"
        for name, value in describe_machine().items()
        if earlier.get(name) != value
    ]
    if not changes:
        return ""
    return (
        f"run {run_id} was started on another machine ({'; '.join(changes)}): the last digits of "
        "the remaining epochs may differ"
    )


def _remove_old_checkpoints() -> None:
    for folder in checkpoint_root().glob("*"):
        with suppress(OSError):  # locked or already removed by another process
            modified = max(path.stat().st_mtime for path in (folder, *folder.glob("*")))
            if time.time() - modified > _KEPT_SECONDS:
                descriptor = lock_directory(folder)
                shutil.rmtree(folder)
                os.close(descriptor)
