"""A worker process of this machine: ends with its parent, whatever ends that."""

import signal
import threading
from functools import cache

from tqdm import tqdm

from fmnist.process import die_with


@cache
def start_worker(parent: int) -> None:
    """To be called in the worker, once or often, with the number of the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C is for the parent, which ends this one
    # Its own lock is a semaphore of the system, which a process that is killed leaves behind.
    tqdm.set_lock(threading.RLock())
    die_with(parent)
