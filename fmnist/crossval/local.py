"""Folds side by side: a process a core, results as they come."""

import os
import warnings
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Final

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from fmnist.crossval.worker import TrainFold, outcome, start_worker
from fmnist.data.splits import Fold
from fmnist.results.training import FoldFailed, FoldResult

# A worker that dies takes the whole pool with it. So often in a row, without a fold finished in
# between, the pool is started again.
_POOLS: Final = 3


def run_folds(
    train_fold: TrainFold, folds: Sequence[Fold], workers: int
) -> Generator[FoldResult | FoldFailed, None, None]:
    """Each fold's result as soon as it is there, in no fixed order.

    A fold that raises gives a FoldFailed, the others go on. When a worker process is killed, the
    folds without a result are trained again in new processes. Closing the iterator ends
    workers that are still at work; so does the death of this process.

    Args:
        train_fold: picklable, without effects; large arrays in it travel once, as a file that all
            workers map into memory.
        workers: processes, 0 for one a core.
    """
    remaining = {fold.key: fold for fold in folds}
    pools = 0
    while remaining and pools < _POOLS:
        try:
            with closing(_pooled(train_fold, list(remaining.values()), workers)) as results:
                for result in results:
                    del remaining[result.key]
                    pools = 0
                    yield result
        except TerminatedWorkerError:
            pools += 1
    for repeat, fold in remaining:
        reason = f"its process died {_POOLS} times (killed by a signal, or out of memory)"
        yield FoldFailed(repeat, fold, reason, "")


def _pooled(
    train_fold: TrainFold, folds: Sequence[Fold], workers: int
) -> Generator[FoldResult | FoldFailed, None, None]:
    workers = min(workers or joblib.cpu_count(), len(folds))
    parallel = joblib.Parallel(
        # joblib would work in this process for n_jobs=1, and a crash would take the run with it.
        n_jobs=max(workers, 2),
        pre_dispatch=workers,
        batch_size=1,
        return_as="generator_unordered",
        backend="loky",
    )
    results = parallel(joblib.delayed(_in_worker)(train_fold, fold, os.getpid()) for fold in folds)
    try:
        # `yield from` would close them outside the filter below.
        for result in results:  # noqa: UP028
            yield result
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of work that is thrown away: on purpose here
            results.close()


def _in_worker(train_fold: TrainFold, fold: Fold, parent: int) -> FoldResult | FoldFailed:
    start_worker(parent)
    return outcome(train_fold, fold)
