"""A Dask cluster, by the address of its scheduler."""

import warnings
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Any, Final

from distributed import Client, wait

from fmnist.crossval.cluster import attempt
from fmnist.crossval.worker import TrainFold
from fmnist.data.splits import Fold
from fmnist.options import Crossval
from fmnist.options.fingerprint import code_digest
from fmnist.results.training import FoldFailed, FoldResult

_CONNECT_SECONDS: Final = 10


class OnDask:
    """See `Cluster`. What all folds need goes once to each worker process.

    Dask trains a fold again whose worker was lost (three times, unless its scheduler is configured
    otherwise). It cannot stop a fold that is being trained: a worker ends the one it has begun,
    and nobody takes the result.
    """

    def __init__(self, address: str, train_fold: TrainFold) -> None:
        self._client = Client(address, timeout=_CONNECT_SECONDS)
        # As the result of a task: data that were scattered are lost with the last worker that has
        # them (Dask drops copies that it thinks spare), a task is done again.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            self._shared = self._client.submit(_same, train_fold, pure=False)
        self._code = code_digest(Crossval)
        self._sent: dict[Any, str] = {}

    def places(self) -> int:
        return len(self._client.ncores())

    def submit(self, fold: Fold) -> Any:
        # Dask knows nothing of how long a fold takes, and would pile folds up where the data are.
        busy = {worker for task, worker in self._sent.items() if task.status == "pending"}
        free = [worker for worker in self._client.ncores() if worker not in busy]
        task = self._client.submit(
            attempt,
            self._shared,
            fold,
            self._code,
            pure=False,
            workers=free[:1] or None,
            allow_other_workers=bool(free),  # when that one is lost
        )
        self._sent[task] = free[0] if free else ""
        return task

    def finished(self, tasks: Sequence[Any]) -> Sequence[Any]:
        try:
            return list(wait(tasks, timeout=1, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            return []
        except CancelledError:  # Dask has dropped some
            return [task for task in tasks if task.status != "pending"]

    def result(self, task: Any) -> FoldResult | FoldFailed:
        return task.result()

    def close(self, tasks: Sequence[Any]) -> None:
        self._client.cancel(tasks, force=True)
        self._client.close()


def _same(train_fold: TrainFold) -> TrainFold:
    return train_fold


def connect(address: str) -> int:
    """Connect to the cluster, and disconnect: how many cores its workers have."""
    with Client(address, timeout=_CONNECT_SECONDS, set_as_default=False) as client:
        return sum(client.ncores().values())
