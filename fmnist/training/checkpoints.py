"""Checkpoints of a fit: one directory per epoch, written completely or not at all."""

import io
import json
from collections.abc import Mapping
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
CHECKSUMS: Final = "SHA256SUMS"  # format of `sha256sum --check`
_KEPT: Final = 2
_HISTORY, _VARIABLE, _BEST = "history", "variable", "best"

Arrays = dict[str, npt.NDArray[Any]]
Rows = list[Mapping[str, float]]


class Checkpoints:
    """The last two checkpoints of one fit; the second is used if the newest is damaged.

    A checkpoint is the state of the fit as arrays by name, and the metrics of each epoch so far.

    Args:
        folder: used by this fit alone; created with the first checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._has_failed = False
        remove_unfinished(folder)

    def save(self, arrays: Arrays, rows: Rows) -> None:
        """Write a checkpoint that survives a power failure.

        If writing fails, print a warning once and keep the earlier checkpoints.
        """
        epoch = len(rows)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(self._folder / f"{epoch:06d}", arrays, rows)
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

    def load_newest(self) -> tuple[Arrays, Rows] | None:
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
        folder: of the checkpoints.
        trainer: compiled and with a built optimizer, not yet fitted.
        averages: of the trainer's weights, if any.
        monitor: must be called before this callback.
    """

    def __init__(
        self,
        folder: Path,
        trainer: keras.Model,
        averages: WeightAverages | None,
        monitor: EpochMonitor,
    ) -> None:
        super().__init__()
        self._checkpoints = Checkpoints(folder)
        self._variables = [*trainer.weights, *trainer.optimizer.variables]
        self._variables += averages.variables if averages else []
        self._averages, self._monitor = averages, monitor

    def restore(self) -> None:
        """Restore the newest checkpoint if there is one."""
        checkpoint = self._checkpoints.load_newest()
        if checkpoint is None:
            return
        arrays, self._monitor.rows = checkpoint
        for name, variable in _number(_VARIABLE, self._variables).items():
            variable.assign(arrays[name])
        best = sorted(name for name in arrays if name.startswith(_BEST))
        self._monitor.best_weights = [arrays[name] for name in best]
        if self._averages:
            self._averages.active = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        variables = _number(_VARIABLE, [variable.numpy() for variable in self._variables])
        best = _number(_BEST, self._monitor.best_weights)
        self._checkpoints.save(variables | best, self._monitor.rows)


def _number(prefix: str, values: list[Any]) -> dict[str, Any]:
    return {f"{prefix}{number:05d}": value for number, value in enumerate(values)}


def _write(folder: Path, arrays: Arrays, rows: Rows) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays, **{_HISTORY: np.array(json.dumps(rows))})
    with atomic_dir(folder) as work:
        (work / ARRAYS).write_bytes(buffer.getvalue())
        (work / CHECKSUMS).write_text(_checksums(buffer.getvalue()))


def _read(folder: Path) -> tuple[Arrays, Rows]:
    """Read a checkpoint.

    Raises:
        ValueError, OSError: it is damaged.
    """
    content = (folder / ARRAYS).read_bytes()
    if (folder / CHECKSUMS).read_text() != _checksums(content):
        raise ValueError(f"{folder / ARRAYS}: the checksum does not match")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = dict(file)
    return arrays, json.loads(str(arrays.pop(_HISTORY)))


def _checksums(content: bytes) -> str:
    return f"{sha256(content).hexdigest()}  {ARRAYS}\n"


def _log(text: str) -> None:
    print(f"checkpoints: {text}", flush=True)
