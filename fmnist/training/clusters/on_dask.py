"""A Dask cluster, by the address of its scheduler."""

from collections.abc import Sequence
from typing import Any, Final

from distributed import Client, wait

from fmnist.data.splits import Fold
from fmnist.options.digest import code_digest
from fmnist.results import FoldFailed, FoldResult
from fmnist.training.clusters.folds import attempt
from fmnist.training.worker import TrainFold

_CONNECT_SECONDS: Final = 10


class OnDask:
    """See `Cluster`. What all folds need goes once to each worker process.

    Dask trains a fold again whose worker was lost (three times, unless its scheduler is configured
    otherwise). It cannot stop a fold that is being trained: a worker ends the one it has begun,
    and nobody takes the result.
    """

    def __init__(self, address: str, train_fold: TrainFold) -> None:
        self._client = Client(address, timeout=_CONNECT_SECONDS)
        [self._shared] = self._client.scatter([train_fold], broadcast=True, hash=False)
        self._code = code_digest()

    def submit(self, fold: Fold) -> Any:
        return self._client.submit(attempt, self._shared, fold, self._code, pure=False)

    def finished(self, tasks: Sequence[Any]) -> Sequence[Any]:
        try:
            return list(wait(tasks, timeout=1, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            return []

    def result(self, task: Any) -> FoldResult | FoldFailed:
        return task.result()

    def close(self, tasks: Sequence[Any]) -> None:
        self._client.cancel(tasks, force=True)
        self._client.close()


def connect(address: str) -> int:
    """Connect to the cluster, and disconnect: how many cores its workers have."""
    with Client(address, timeout=_CONNECT_SECONDS, set_as_default=False) as client:
        return sum(client.ncores().values())
