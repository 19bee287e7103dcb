"""Features of images by a frozen backbone, computed in parallel on all cores and cached."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psutil
import tensorflow as tf

from fmnist.models.factory import ModelSpec
from fmnist.models.transfer import Transfer
from fmnist.system.progress import show_progress
from fmnist.training.features.cache import (
    CHUNK_ROWS,
    CachedArray,
    Features,
    Floats,
    load_or_compute,
)

Images = npt.NDArray[np.uint8]

# Images per call at 32 x 32; fewer for larger images, so that memory use is the same. Smaller
# batches are slower: TensorFlow rearranges the weights of a convolution in every call.
_BATCH: Final = 256
_BATCH_SIDE: Final = 32
_BATCH_BYTES: Final = 250 << 20  # memory of a batch in VGG16
_LIBRARIES: Final = ("keras", "tensorflow")
_PROBE_ROWS: Final = 8
_PROBE_TOLERANCE: Final = 1e-3  # relative to the largest feature of the compared rows


def load_features(
    spec: ModelSpec, train_images: Images, test_images: Images, cache_dir: Path | None
) -> Features | None:
    """Load the features of both sets of images or compute them; None without a backbone."""
    if spec.transfer is None or cache_dir is None:
        return None
    return Features(
        extract_features(spec.transfer, train_images, cache_dir),
        extract_features(spec.transfer, test_images, cache_dir),
    )


def extract_features(transfer: Transfer, images: Images, cache_dir: Path) -> CachedArray:
    """Load the features (n, d) float32 of images (n, 28, 28) uint8 or compute them."""
    key_fields = {
        "images": sha256(np.ascontiguousarray(images).tobytes()).hexdigest(),
        "backbone": transfer.backbone.name,
        "weights": transfer.weights_digest,
        "input_size": str(transfer.side),
        "input_scaling": transfer.input_scaling,
        "feature_layers": transfer.feature_layers,
        "precision": "float32",
        "augmentation": "none",
    } | {library: version(library) for library in _LIBRARIES}

    def is_plausible(array: Floats) -> bool:
        rows = np.linspace(0, len(images) - 1, min(_PROBE_ROWS, len(images))).astype(np.int64)
        expected = _create_graph(transfer)(tf.constant(images[rows])).numpy()
        difference = float(np.abs(array[rows] - expected).max())
        return difference <= _PROBE_TOLERANCE * float(np.abs(expected).max())

    return load_or_compute(
        cache_dir,
        key_fields,
        (len(images), int(transfer.extractor.output.shape[1])),
        lambda slices: _extract(transfer, images, slices),
        is_plausible,
    )


@lru_cache(maxsize=1)  # training and test images use the same graph
def _create_graph(transfer: Transfer) -> Any:
    return tf.function(
        lambda images: transfer.extractor(images, training=False),
        input_signature=[tf.TensorSpec((None, 28, 28), tf.uint8)],
        autograph=False,
        jit_compile=False,
    )


def _extract(transfer: Transfer, images: Images, slices: Sequence[slice]) -> Iterator[Floats]:
    """Compute the features of each slice, ahead of the consumer.

    Each core computes whole batches: the result does not depend on the number of cores.
    """
    # A power of two divides a chunk: batches do not depend on where an extraction resumed.
    size = _BATCH * (_BATCH_SIDE / transfer.side) ** 2
    size = min(CHUNK_ROWS, 2 ** int(np.log2(max(size, 1))))
    batches = [
        images[start : min(start + size, rows.stop)]
        for rows in slices
        for start in range(rows.start, rows.stop, size)
    ]
    graph = _create_graph(transfer)
    graph(tf.constant(images[:1]))  # trace the graph before several threads do so
    cores = tf.config.threading.get_inter_op_parallelism_threads() or 1
    cores = max(1, min(cores, psutil.virtual_memory().available // _BATCH_BYTES))
    title, total = f"{transfer.backbone.name} features", sum(map(len, batches))
    print(f"{title}: {total:,} images", flush=True)
    with show_progress(title, total) as progress, ThreadPoolExecutor(cores) as pool:
        remaining = (pool.submit(lambda b: graph(tf.constant(b)).numpy(), b) for b in batches)
        # While a chunk is written, the threads have another chunk of batches to compute.
        pending = deque(islice(remaining, cores + CHUNK_ROWS // size))
        try:
            for rows in slices:
                parts: list[Floats] = []
                for _ in range(rows.start, rows.stop, size):
                    parts.append(pending.popleft().result())
                    pending.extend(islice(remaining, 1))
                    progress.update(progress.done + len(parts[-1]))
                yield np.concatenate(parts)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
