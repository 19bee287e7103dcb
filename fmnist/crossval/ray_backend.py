"""A Ray cluster that this machine belongs to."""

import logging
import signal
from collections.abc import Sequence
from typing import Any, Final

import ray

from fmnist.crossval.cluster import attempt
from fmnist.crossval.worker import TrainFold
from fmnist.data.splits import Fold
from fmnist.options import Crossval
from fmnist.options.fingerprint import code_digest
from fmnist.results.training import FoldFailed, FoldResult

# So often a fold is trained again whose machine or process was lost.
_RETRIES: Final = 3


class OnRay:
    """See `Cluster`. What all folds need goes into Ray's store of objects: once to each machine,
    where all processes share its memory.
    """

    def __init__(self, address: str, train_fold: TrainFold) -> None:
        connect(address)
        self._shared = ray.put(train_fold)
        self._code = code_digest(Crossval)
        self._task = ray.remote(num_cpus=1, max_retries=_RETRIES, scheduling_strategy="SPREAD")(
            attempt
        )

    def places(self) -> int:
        return _cores()

    def submit(self, fold: Fold) -> Any:
        return self._task.remote(self._shared, fold, self._code)

    def finished(self, tasks: Sequence[Any]) -> Sequence[Any]:
        done: list[Any] = ray.wait(list(tasks), timeout=1)[0]
        return done

    def result(self, task: Any) -> FoldResult | FoldFailed:
        return ray.get(task)

    def close(self, tasks: Sequence[Any]) -> None:
        for task in tasks:
            ray.cancel(task, force=True)
        ray.shutdown()


def connect(address: str) -> int:
    """Connect this process to the cluster: how many cores it has."""
    kept = signal.getsignal(signal.SIGTERM)
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    signal.signal(signal.SIGTERM, kept)  # Ray sets its own, which ends the process at once
    return _cores()


def _cores() -> int:
    return int(ray.cluster_resources().get("CPU", 0))
