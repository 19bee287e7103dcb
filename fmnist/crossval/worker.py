"""In a worker process: one fold, whatever becomes of it; and ending with the parent."""

import os
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import cache

from tqdm import tqdm

from fmnist.data.splits import Fold
from fmnist.results.training import FoldFailed, FoldResult
from fmnist.system.signals import exit_with_parent

TrainFold = Callable[[Fold], FoldResult]


def outcome(train_fold: TrainFold, fold: Fold) -> FoldResult | FoldFailed:
    """The fold's result, or why there is none."""
    try:
        # Lines and bars of several processes on one terminal cannot be read.
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            return train_fold(fold)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return FoldFailed(fold.repeat, fold.fold, reason, traceback.format_exc())


@cache
def start_worker(parent: int) -> None:
    """Have this process end with its parent; may be called again.

    Args:
        parent: number of the process that started this one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C is for the parent, which ends this one
    # Its own lock is a semaphore of the system, which a process that is killed leaves behind.
    tqdm.set_lock(threading.RLock())
    exit_with_parent(parent)
