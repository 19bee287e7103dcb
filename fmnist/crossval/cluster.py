"""Folds sent to a cluster, results as they come; what every kind of cluster has to do for it."""

import threading
from collections.abc import Callable, Generator, Sequence
from itertools import islice
from typing import Any, Final, Protocol

from fmnist.crossval.worker import TrainFold, outcome
from fmnist.data.splits import Fold
from fmnist.options import Crossval
from fmnist.options.fingerprint import code_digest
from fmnist.results.training import FoldFailed, FoldResult

# TensorFlow's settings and Keras's random state belong to a process: threads of one take turns.
_ONE_FOLD: Final = threading.Lock()


class Cluster(Protocol):
    """A connection to a cluster that holds what all folds need; a task is hashable."""

    def places(self) -> int:
        """How many folds can be trained at a time, as the cluster is now."""

    def submit(self, fold: Fold) -> Any:
        """Have the fold trained somewhere, on one core: the task to wait for."""

    def finished(self, tasks: Sequence[Any]) -> Sequence[Any]:
        """Those of the tasks that are done; after a second perhaps none."""

    def result(self, task: Any) -> FoldResult | FoldFailed:
        """What a task that is done gave.

        Raises:
            Exception: the cluster gave it up.
        """

    def close(self, tasks: Sequence[Any]) -> None:
        """Cancel the tasks and disconnect."""


def run_on(
    connect: Callable[[], Cluster], folds: Sequence[Fold], workers: int
) -> Generator[FoldResult | FoldFailed, None, None]:
    """Each fold's result as soon as it is there, in no fixed order.

    A fold that raises, or that the cluster gives up, gives a FoldFailed, and the others go on.
    Closing the iterator cancels the rest.

    Args:
        workers: how many folds at a time, 0 for as many as the cluster has places.
    """
    if not folds:
        return
    cluster = connect()
    waiting: dict[Any, Fold] = {}
    queue = iter(folds)
    try:
        while True:
            places = min(workers or len(folds), max(1, cluster.places()))
            for fold in islice(queue, max(0, places - len(waiting))):
                waiting[cluster.submit(fold)] = fold
            if not waiting:
                return
            for task in cluster.finished(list(waiting)):
                fold = waiting.pop(task)
                try:
                    result = cluster.result(task)
                except Exception as error:
                    reason = f"the cluster gave it up: {type(error).__name__}: {error}"
                    result = FoldFailed(fold.repeat, fold.fold, reason, "")
                yield result
    finally:
        cluster.close(list(waiting))


def attempt(train_fold: TrainFold, fold: Fold, code: str) -> FoldResult | FoldFailed:
    """The fold's result, made in the process of a cluster that calls this.

    Args:
        code: what `code_digest` gave where the folds come from.
    """
    if code_digest(Crossval) != code:
        reason = (
            "its machine has another version of the code or of a library than the one that asks; "
            "give every machine of the cluster the same clone and environment"
        )
        return FoldFailed(fold.repeat, fold.fold, reason, "")
    with _ONE_FOLD:
        return outcome(train_fold, fold)
