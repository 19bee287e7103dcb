"""Train folds at the same time, each in a process of its own: on this machine or on a cluster."""

import os
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import redirect_stderr, redirect_stdout
from typing import Final, Protocol

from joblib.externals.loky.process_executor import BrokenProcessPool

from fmnist.crossval.processes import Pool, count_workers, start_pool
from fmnist.data.splits import Fold
from fmnist.results.training import FoldFailed, FoldResult, Key

TrainFold = Callable[[Fold], FoldResult]
Outcome = FoldResult | FoldFailed

_WAIT_SECONDS: Final = 1


class Executor(Protocol):
    """Trains folds in other processes."""

    attempts: int  # how often a fold is submitted if its process is lost

    def capacity(self) -> int:
        """Return the number of folds that can be trained at the same time."""

    def submit(self, fold: Fold) -> Future[Outcome]:
        """Start to train a fold. The future raises if the process of the fold is lost."""

    def close(self) -> None:
        """Stop all training and release processes and connections."""


def run_folds(executor: Executor, folds: Sequence[Fold]) -> Iterator[Outcome]:
    """Train all folds and yield each outcome when it is available, in any order.

    A fold whose training raises, or whose process is lost too often, yields a FoldFailed; the
    other folds continue.
    """
    waiting = deque(folds)
    running: dict[Future[Outcome], Fold] = {}
    losses: Counter[Key] = Counter()
    while waiting or running:
        while waiting and len(running) < executor.capacity():
            fold = waiting.popleft()
            running[executor.submit(fold)] = fold
        for future in wait(running, _WAIT_SECONDS, FIRST_COMPLETED).done:
            fold = running.pop(future)
            try:
                outcome = future.result()
            except Exception as error:
                losses[fold.key] += 1
                if losses[fold.key] < executor.attempts:
                    waiting.append(fold)
                    continue
                reason = f"its process was lost: {type(error).__name__}: {error}".strip()
                outcome = FoldFailed(fold.repeat, fold.fold, reason, "")
            yield outcome


def train_safely(train_fold: TrainFold, fold: Fold) -> Outcome:
    """Train a fold without output; an exception becomes a FoldFailed."""
    try:
        # Messages and progress bars of several processes would mix on one terminal.
        with open(os.devnull, "w") as null, redirect_stdout(null), redirect_stderr(null):
            return train_fold(fold)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return FoldFailed(fold.repeat, fold.fold, reason, traceback.format_exc())


class LocalExecutor:
    """Processes on this machine, which are reused for later folds.

    Args:
        train_fold: picklable function that trains one fold.
        workers: see `count_workers`.
    """

    attempts = 3

    def __init__(self, train_fold: TrainFold, workers: int) -> None:
        self._train_fold = train_fold
        self._workers = count_workers(workers)
        # One pool per process: all tasks of a pool are lost when one of its processes dies.
        self._tasks: dict[Pool, Future[Outcome]] = {}

    def capacity(self) -> int:
        return self._workers

    def submit(self, fold: Fold) -> Future[Outcome]:
        for pool in [pool for pool, task in self._tasks.items() if task.done()]:
            try:
                return self._submit_to(pool, fold)
            except BrokenProcessPool:  # its process is lost
                del self._tasks[pool]
                pool.shutdown()
        return self._submit_to(start_pool(1), fold)

    def close(self) -> None:
        for pool in self._tasks:
            pool.shutdown(kill_workers=True)
        self._tasks.clear()

    def _submit_to(self, pool: Pool, fold: Fold) -> Future[Outcome]:
        task: Future[Outcome] = pool.submit(train_safely, self._train_fold, fold)
        self._tasks[pool] = task
        return task
