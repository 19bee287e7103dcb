"""TensorFlow's settings in this process: threads, determinism, logging."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Single operations of a small network are too short to be divided between threads; two operations
# run at a time, one for each half of a batch. With a frozen backbone, each core computes images of
# its own (benchmarks/transfer.py).
INTRA_OP_THREADS: Final = 1
INTER_OP_THREADS: Final = 2


def start(*, every_core: bool = False) -> None:
    """Import and configure TensorFlow; call once, before anything else uses it.

    Operations are deterministic: the same seed gives the same result on the same machine.

    Args:
        every_core: run one operation per core instead of two, for the extraction of features. The
            results are the same.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    with _stderr_closed(), _scikit_learn_hidden():
        import tensorflow as tf

    # It warns of retracing if a process uses several models.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    tf.config.threading.set_intra_op_parallelism_threads(INTRA_OP_THREADS)
    inter_op = max(INTER_OP_THREADS, count_cores()) if every_core else INTER_OP_THREADS
    tf.config.threading.set_inter_op_parallelism_threads(inter_op)
    tf.config.experimental.enable_op_determinism()


def count_cores() -> int:
    """Number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _scikit_learn_hidden() -> Iterator[None]:
    """Spare Keras the import of scikit-learn (one second), which its unused wrappers try."""
    name = "sklearn"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # makes `import sklearn` fail
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def _stderr_closed() -> Iterator[None]:
    """Suppress messages about missing GPUs that TensorFlow's C++ code writes at import.

    Python exceptions are not affected, because they are printed later.
    """
    stderr = os.dup(2)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)
