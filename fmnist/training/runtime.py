"""TensorFlow's settings in this process: threads, determinism, logging."""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from fmnist.errors import BadInput
from fmnist.options.devices import gpu_names
from fmnist.system.console import suppress_stderr

# Single operations of a small network are too short to be divided between threads; two operations
# run at a time, one for each half of a batch. With a frozen backbone, each core computes images of
# its own (benchmarks/transfer.py).
INTRA_OP_THREADS: Final = 1
INTER_OP_THREADS: Final = 2

# Variables that change results or select another backend; the user's own settings for other
# projects are replaced by TensorFlow's and Keras's defaults.
_ENVIRONMENT: Final = {
    "KERAS_BACKEND": "tensorflow",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TF_USE_LEGACY_KERAS": "0",
    "TF_XLA_FLAGS": "",
}
_DETERMINISTIC_XLA: Final = "--xla_gpu_deterministic_ops=true"

_is_started: Final = threading.Event()


def start(*, every_core: bool = False) -> None:
    """Import and configure TensorFlow; call once, before anything else uses it.

    Operations are deterministic: the same seed gives the same result on the same machine.

    Args:
        every_core: run one operation per core instead of two, for the extraction of features. The
            results are the same.

    Raises:
        BadInput: Keras rejects the user's `keras.json`.
    """
    has_gpu = bool(gpu_names())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
    os.environ |= _ENVIRONMENT | {"XLA_FLAGS": _DETERMINISTIC_XLA if has_gpu else ""}
    try:
        with suppress_stderr(), _scikit_learn_hidden():
            import tensorflow as tf  # imports Keras
    except (AssertionError, ValueError, TypeError, AttributeError) as error:
        raise BadInput(
            f"Keras cannot be imported ({error!r}); correct or delete the file keras.json in "
            "~/.keras or $KERAS_HOME"
        ) from error

    import keras

    # Not the settings of the user's keras.json.
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")

    # It warns of retracing if a process uses several models.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    tf.config.threading.set_intra_op_parallelism_threads(INTRA_OP_THREADS)
    inter_op = max(INTER_OP_THREADS, count_cores()) if every_core else INTER_OP_THREADS
    with suppress(RuntimeError):  # started before, without worker processes
        tf.config.threading.set_inter_op_parallelism_threads(inter_op)
    tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        with suppress(RuntimeError):
            # Worker processes share the memory of a GPU.
            tf.config.experimental.set_memory_growth(gpu, True)
    _is_started.set()


def import_plotting() -> None:
    """Import what draws the figures; in a thread, so that it costs little while a model is fitted.

    The thread first waits for TensorFlow, since both import Matplotlib and pandas, and two threads
    that import the same packages may see them half-initialized.
    """
    _is_started.wait()
    import seaborn  # noqa: F401


def count_cores() -> int:
    """Number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _scikit_learn_hidden() -> Iterator[None]:
    """Spare Keras the import of scikit-learn (one second of processor time).

    Keras imports it for its wrappers of scikit-learn's interface, which nothing here uses, and
    continues without them if the import fails. It has no setting for this.
    """
    earlier = sys.modules.get("sklearn")
    sys.modules["sklearn"] = earlier  # type: ignore[assignment]  # None makes the import fail
    try:
        yield
    finally:
        if earlier is None:
            del sys.modules["sklearn"]
