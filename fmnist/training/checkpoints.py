"""Checkpoints of a fit: one directory per epoch, written completely or not at all."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from fmnist.system.atomic import atomic_dir, remove_dir, remove_unfinished
from fmnist.training.callbacks import EpochMonitor
from fmnist.training.optimizers import WeightAverages

ARRAYS: Final = "arrays.npz"
HISTORY: Final = "history.json"
CHECKSUMS: Final = "SHA256SUMS"  # format of `sha256sum --check`
_KEPT: Final = 2
_VARIABLE, _BEST = "variable", "best"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """State of a fit after an epoch.

    Args:
        arrays: variables and best weights by name.
        rows: metrics of each epoch so far.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    rows: list[Mapping[str, float]]


class Checkpoints:
    """The last two checkpoints of one fit; the second is used if the newest is damaged.

    Args:
        folder: used by this fit alone; created with the first checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._has_failed = False
        remove_unfinished(folder)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint that survives a power failure.

        If writing fails, print a warning once and keep the earlier checkpoints.
        """
        epoch = len(checkpoint.rows)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(self._folder / f"{epoch:06d}", checkpoint)
            for outdated in self._folders()[:-_KEPT]:
                remove_dir(outdated)
        except OSError as error:
            if not self._has_failed:
                earlier = self._folders()
                kept = f"epoch {int(earlier[-1].name)} is kept" if earlier else "there is no other"
                _log(
                    f"epoch {epoch} could not be written to {self._folder} "
                    f"({error.strerror or error}); {kept}. Training continues and every epoch "
                    "tries again"
                )
            self._has_failed = True
            return
        if self._has_failed:
            _log(f"epoch {epoch} was written")
        self._has_failed = False

    def load_newest(self) -> Checkpoint | None:
        """Load the newest intact checkpoint; remove damaged ones with a warning."""
        for folder in reversed(self._folders()):
            try:
                return _read(folder)
            except (OSError, ValueError) as error:
                _log(f"epoch {int(folder.name)} is damaged and ignored: {error}")
                remove_dir(folder)
        return None

    def _folders(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*"))


class CheckpointCallback(keras.callbacks.Callback):
    """Save after each epoch everything the next one depends on.

    That is: weights, optimizer state, averaged weights, best weights and metrics. Random states are
    not saved, because `ReseedEachEpoch` sets them. Variables are stored by position: resuming
    requires the same code and library versions, see `resume`.

    Args:
        trainer: compiled and with a built optimizer, not yet fitted.
        averages: of the trainer's weights, if any.
        monitor: must be called before this callback.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        trainer: keras.Model,
        averages: WeightAverages | None,
        monitor: EpochMonitor,
    ) -> None:
        super().__init__()
        self._checkpoints = checkpoints
        self._trainer = trainer
        self._averages = averages
        self._monitor = monitor

    def restore(self) -> bool:
        """Restore the newest checkpoint; return False if there is none."""
        checkpoint = self._checkpoints.load_newest()
        if checkpoint is None:
            return False
        for name, variable in _number(_VARIABLE, self._variables).items():
            variable.assign(checkpoint.arrays[name])
        best = sorted(name for name in checkpoint.arrays if name.startswith(_BEST))
        self._monitor.restore(checkpoint.rows, [checkpoint.arrays[name] for name in best])
        return True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        variables = _number(_VARIABLE, [variable.numpy() for variable in self._variables])
        best = _number(_BEST, self._monitor.best_weights)
        self._checkpoints.save(Checkpoint(variables | best, self._monitor.rows))

    @property
    def _variables(self) -> list[Any]:
        averages = self._averages.variables if self._averages else []
        return [*self._trainer.weights, *self._trainer.optimizer.variables, *averages]


def _number(prefix: str, values: list[Any]) -> dict[str, Any]:
    return {f"{prefix}{number:05d}": value for number, value in enumerate(values)}


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **checkpoint.arrays)
    files = {ARRAYS: buffer.getvalue(), HISTORY: json.dumps(checkpoint.rows).encode()}
    sums = "".join(f"{_checksum(content)}  {name}\n" for name, content in files.items())
    with atomic_dir(folder) as work:
        for name, content in {**files, CHECKSUMS: sums.encode()}.items():
            (work / name).write_bytes(content)


def _read(folder: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ValueError, OSError: it is damaged.
    """
    lines = (folder / CHECKSUMS).read_text().splitlines()
    sums = {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}
    files = {}
    for name in (ARRAYS, HISTORY):
        files[name] = (folder / name).read_bytes()
        if _checksum(files[name]) != sums.get(name):
            raise ValueError(f"{folder / name}: the checksum does not match")
    with np.load(io.BytesIO(files[ARRAYS]), allow_pickle=False) as arrays:
        return Checkpoint(dict(arrays), json.loads(files[HISTORY]))


def _checksum(content: bytes) -> str:
    return sha256(content).hexdigest()


def _log(text: str) -> None:
    print(f"checkpoints: {text}", flush=True)
