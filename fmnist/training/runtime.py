"""How TensorFlow runs in this process: threads, determinism, log noise."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Steps of a small network are too short to share one operation between threads: one thread in
# an operation, and as many operations side by side as `fit` has halves of a batch. A backbone is
# served as well (benchmarks/transfer.py): each core computes some images by itself.
INTRA_OP_THREADS: Final = 1
INTER_OP_THREADS: Final = 2


def start(*, every_core: bool = False) -> None:
    """Import TensorFlow and settle its threads; call once, before anything else uses it.

    Operations are made deterministic, so that the same seed gives the same result on one machine.

    Args:
        every_core: let as many operations run side by side as this process may use cores; for
            work that comes in more than two parts. No result depends on it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    with _standard_error_closed():
        import tensorflow as tf

    # It warns of retracing whenever several models are asked in one process.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    tf.config.threading.set_intra_op_parallelism_threads(INTRA_OP_THREADS)
    inter_op = max(INTER_OP_THREADS, cores()) if every_core else INTER_OP_THREADS
    tf.config.threading.set_inter_op_parallelism_threads(inter_op)
    tf.config.experimental.enable_op_determinism()


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _standard_error_closed() -> Iterator[None]:
    """Drop what TensorFlow's C++ code says of missing GPUs before it reads its own log level.

    Python's exceptions are not affected: they are printed later, from the real stream.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
