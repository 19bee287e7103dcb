"""The state of a fit between two epochs, taken and brought back."""

from typing import Any

import keras

from fmnist.training.callbacks import EpochMonitor
from fmnist.training.checkpoints import Checkpoint, Checkpoints
from fmnist.training.weight_averaging import Averages

_VARIABLE, _BEST = "variable", "best"


class Snapshots(keras.callbacks.Callback):
    """After each epoch all that the next one depends on is kept: weights, optimizer, running means,
    best weights, measurements.

    What is random is no part of it, since that is set from (seed, epoch): see `ReseedEachEpoch`.

    Args:
        trainer: compiled, not yet fitted.
        averages: of its weights, if the fit has any; between epochs they are in the model.
        watch: of the fit, called before.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        trainer: keras.Model,
        averages: Averages | None,
        watch: EpochMonitor,
    ) -> None:
        super().__init__()
        self._checkpoints = checkpoints
        self._trainer = trainer
        self._averages = averages
        self._watch = watch

    def restore(self) -> bool:
        """Whether there was a checkpoint: then all is as it was after its epoch."""
        found = self._checkpoints.newest()
        if found is None:
            return False
        self._trainer.optimizer.build(self._trainer.trainable_variables)
        for name, variable in _named(_VARIABLE, self._variables).items():
            variable.assign(found.arrays[name])
        best = sorted(name for name in found.arrays if name.startswith(_BEST))
        self._watch.go_on(found.rows, [found.arrays[name] for name in best])
        return True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        variables = _named(_VARIABLE, [variable.numpy() for variable in self._variables])
        best = _named(_BEST, self._watch.best_weights)
        self._checkpoints.keep(Checkpoint(variables | best, self._watch.rows))

    @property
    def _variables(self) -> list[Any]:
        averages = self._averages.variables if self._averages else []
        return [*self._trainer.weights, *self._trainer.optimizer.variables, *averages]


def _named(kind: str, values: list[Any]) -> dict[str, Any]:
    return {f"{kind}{number:05d}": value for number, value in enumerate(values)}
