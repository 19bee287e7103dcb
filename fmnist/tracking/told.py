"""What earlier processes have told of a run that goes on: it is not told again."""

from dataclasses import dataclass
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Run

from fmnist import names


@dataclass(frozen=True)
class Told:
    """What a run has already.

    Args:
        epochs: their numbers.
        metrics: the names of all that was measured.
    """

    epochs: frozenset[int] = frozenset()
    metrics: frozenset[str] = frozenset()


NOTHING: Final = Told()


def told_before(client: MlflowClient, run: Run) -> Told:
    """What the store has of the run; the metrics of an epoch were sent at once, so one will do."""
    losses = client.get_metric_history(run.info.run_id, names.TRAIN_LOSS)
    return Told(frozenset(loss.step for loss in losses), frozenset(run.data.metrics))
