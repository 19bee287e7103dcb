"""What needs TensorFlow before the folds start, in a process of its own that ends with it.

The parent of the folds stays free of TensorFlow: it starts processes, and holds no memory.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from fmnist.crossval.fold import CrossvalInputs
from fmnist.crossval.worker import start_worker
from fmnist.errors import WorkFailed
from fmnist.models import factory
from fmnist.models.factory import ModelSpec
from fmnist.models.transfer import Transfer
from fmnist.training.features.frozen import Features, frozen
from fmnist.training.features.store import Cached, folder_of

T = TypeVar("T")


def with_weights_digest(spec: ModelSpec) -> ModelSpec:
    """The same network, with the digest of its weights known to this process.

    Raises:
        BadInput: Keras cannot have the weights.
    """
    if spec.transfer is None or spec.transfer.arrays is not None:
        return spec
    return factory.anew(spec, weights_digest=_apart(partial(_digest, spec.transfer)))


def features_of(spec: ModelSpec, images: npt.NDArray[np.uint8], cache_dir: str) -> Cached | None:
    """What a frozen backbone makes of images, mapped into memory; None without a backbone.

    Args:
        images: (n, 28, 28) uint8.

    Raises:
        WorkFailed: it cannot be stored, or the process that computed it died.
    """
    if spec.transfer is None:
        return None
    return _apart(partial(_features_of, spec.transfer, images, cache_dir))


def with_features(material: CrossvalInputs) -> CrossvalInputs:
    """The same, with the features that all folds share, mapped into memory.

    Raises:
        WorkFailed: they cannot be stored, or the process that computed them died.
    """
    if material.spec.transfer is None:
        return material
    return replace(material, features=_apart(partial(_features, material)))


def _digest(parts: Transfer) -> str:
    from fmnist.training import runtime

    runtime.start()
    return parts.weights_digest


def _features_of(parts: Transfer, images: npt.NDArray[np.uint8], cache_dir: str) -> Cached:
    from fmnist.training import runtime

    runtime.start(every_core=True)
    from fmnist.training.features.extraction import features

    return features(parts, images, folder_of(cache_dir))


def _features(material: CrossvalInputs) -> Features | None:
    from fmnist.training import runtime

    runtime.start(every_core=True)
    cache = folder_of(material.options.cache_dir)
    return frozen(material.spec, material.divided.used.images, material.test.images, cache)


def _apart(work: Callable[[], T]) -> T:
    executor = ProcessPoolExecutor(
        1,
        result_reducers={np.memmap: by_file},
        initializer=start_worker,
        initargs=(os.getpid(),),
    )
    try:
        result: T = executor.submit(work).result()
        return result
    except TerminatedWorkerError as error:
        raise WorkFailed(
            "the process that computed features died (killed by a signal, or out of memory); what "
            "it had finished is kept"
        ) from error
    finally:
        executor.shutdown(kill_workers=True)


def by_file(array: np.memmap[Any, Any]) -> tuple[Any, ...]:
    """How an array that is mapped from a file travels: as the name of the file."""
    return np.memmap, (array.filename, array.dtype, array.mode, array.offset, array.shape)
