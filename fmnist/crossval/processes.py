"""Worker processes: their number, their start and end, and what one computes for its parent.

The parent of folds and trials does not import TensorFlow, so that it needs little memory.
"""

import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar

import joblib
import numpy as np
import numpy.typing as npt
import psutil
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from fmnist.errors import BadInput, WorkFailed
from fmnist.models.factory import ModelSpec
from fmnist.system.console import current_console, open_console
from fmnist.system.memory import collect_rarely
from fmnist.system.signals import exit_with_parent
from fmnist.training.features.cache import CachedArray, feature_cache_dir

T = TypeVar("T")

# Resident memory of a process that trains LeNet-5 on 48,000 rows, most of it TensorFlow's.
BYTES_PER_WORKER: Final = 1_300_000_000


def count_workers(requested: int) -> int:
    """Return the number of worker processes for folds or trials.

    Args:
        requested: the option `workers`; 0 for one per core, limited by the available memory.

    Raises:
        BadInput: LOKY_MAX_CPU_COUNT is not a number.
    """
    try:
        cores = joblib.cpu_count()
    except ValueError as error:
        raise BadInput(
            f"LOKY_MAX_CPU_COUNT={os.environ.get('LOKY_MAX_CPU_COUNT')}: expected a whole number; "
            "unset it"
        ) from error
    fitting_in_memory = psutil.virtual_memory().available // BYTES_PER_WORKER
    return requested or max(1, min(cores, fitting_in_memory))


class _SameProcess:
    """A pool without processes: `submit` returns when the task is done."""

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        task: Future[T] = Future()
        try:
            task.set_result(function(*arguments))
        except Exception as error:
            task.set_exception(error)
        return task

    def shutdown(self, *, kill_workers: bool = False) -> None:
        """Do nothing."""


Pool: TypeAlias = ProcessPoolExecutor | _SameProcess


def start_pool(workers: int) -> Pool:
    """Start processes that end with this one. Memory-mapped arrays are passed by file name.

    Without shared memory for semaphores, for example in some containers, tasks run in this process.
    """
    reducers = {np.memmap: _reduce_memmap}
    try:
        return ProcessPoolExecutor(
            workers,
            job_reducers=reducers,
            result_reducers=reducers,
            initializer=_start_worker,
            initargs=(os.getpid(),),
        )
    except (OSError, ImportError, NotImplementedError) as error:
        _report_missing_processes(str(error))
        return _SameProcess()


@cache
def _report_missing_processes(reason: str) -> None:
    print(
        f"worker processes cannot be started ({reason}; is /dev/shm missing, full or read-only?); "
        "everything is computed in this process",
        file=sys.stderr,
    )


def with_weights_digest(spec: ModelSpec) -> ModelSpec:
    """Return the same model with the digest of its pretrained weights.

    Raises:
        BadInput: Keras cannot download or load the weights.
    """
    backbone = spec.transfer
    if backbone is None:
        return spec

    def digest() -> str:
        from fmnist.training import runtime

        runtime.start()
        return backbone.weights_digest

    return spec.copy(weights_digest=_run_in_process(digest))


def load_features(
    spec: ModelSpec, cache_dir: str, *images: npt.NDArray[np.uint8]
) -> tuple[CachedArray, ...]:
    """Return the features of each array of images, from the cache or computed now.

    Args:
        images: arrays (n, 28, 28) uint8.

    Returns:
        One memory-mapped array for each array of images; nothing for a model without a backbone.

    Raises:
        WorkFailed: the features cannot be stored, or the process that computed them died.
    """
    backbone = spec.transfer
    if backbone is None:
        return ()

    def compute() -> tuple[CachedArray, ...]:
        from fmnist.training import runtime

        runtime.start(every_core=True)
        from fmnist.training.features.extraction import extract_features

        folder = feature_cache_dir(cache_dir)
        return tuple(extract_features(backbone, each, folder) for each in images)

    return _run_in_process(compute)


def _start_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Control-C the parent ends its workers
    exit_with_parent(parent)
    collect_rarely()


def _run_in_process(function: Callable[[], T]) -> T:
    pool = start_pool(1)
    try:
        with current_console().activity(None):
            result: T = pool.submit(_run_with_console, function).result()
        return result
    except TerminatedWorkerError as error:
        raise WorkFailed(
            "the process that prepares the backbone died (killed by a signal, or out of memory); "
            "finished features are kept"
        ) from error
    finally:
        pool.shutdown(kill_workers=True)


def _run_with_console(function: Callable[[], T]) -> T:
    with open_console():
        return function()


def _reduce_memmap(array: np.memmap[Any, Any]) -> tuple[Any, ...]:
    return np.memmap, (array.filename, array.dtype, array.mode, array.offset, array.shape)
