"""Features of images by a frozen backbone, computed in parallel on all cores and cached."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

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
    """Load the features of both sets of images or compute them; None without a backbone.

    Raises:
        WorkFailed: they cannot be stored.
    """
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
    extractor = _create_extractor(transfer)

    def is_plausible(array: Floats) -> bool:
        rows = np.linspace(0, len(images) - 1, min(_PROBE_ROWS, len(images))).astype(np.int64)
        expected = extractor.extract_batch(images[rows])
        difference = float(np.abs(array[rows] - expected).max())
        return difference <= _PROBE_TOLERANCE * float(np.abs(expected).max())

    return load_or_compute(
        cache_dir,
        key_fields,
        (len(images), int(transfer.extractor.output.shape[1])),
        lambda slices: extractor.extract(images, slices),
        is_plausible,
    )


@lru_cache(maxsize=1)  # training and test images use the same graph
def _create_extractor(transfer: Transfer) -> "_Extractor":
    return _Extractor(transfer)


class _Extractor:
    def __init__(self, transfer: Transfer) -> None:
        model = transfer.extractor
        self._title = f"{transfer.backbone.name} features"
        batch = _BATCH * (_BATCH_SIDE / transfer.side) ** 2
        # A power of two divides a chunk: batches do not depend on where an extraction resumed.
        self._batch = min(CHUNK_ROWS, max(1, 2 ** int(np.log2(max(batch, 1)))))
        self._run = tf.function(
            lambda images: model(images, training=False),
            input_signature=[tf.TensorSpec((None, 28, 28), tf.uint8)],
            autograph=False,
            jit_compile=False,
        )

    def extract_batch(self, images: Images) -> Floats:
        values: Floats = self._run(tf.constant(images)).numpy()
        return values

    def extract(self, images: Images, slices: Sequence[slice]) -> Iterator[Floats]:
        """Compute the features of each slice, ahead of the consumer.

        Each core computes whole batches: the result does not depend on the number of cores.
        """
        self.extract_batch(images[:1])  # trace the graph before several threads do so
        cores = tf.config.threading.get_inter_op_parallelism_threads() or 1
        cores = max(1, min(cores, psutil.virtual_memory().available // _BATCH_BYTES))
        ahead = 1 + cores * self._batch // CHUNK_ROWS
        total = sum(rows.stop - rows.start for rows in slices)
        done = 0
        print(f"{self._title}: {total:,} images", flush=True)
        with show_progress(self._title, total) as progress, ThreadPoolExecutor(cores) as pool:

            def submit(rows: slice) -> list[Future[Floats]]:
                starts = range(rows.start, rows.stop, self._batch)
                ends = (min(start + self._batch, rows.stop) for start in starts)
                return [
                    pool.submit(self.extract_batch, images[start:end])
                    for start, end in zip(starts, ends, strict=True)
                ]

            def collect(futures: list[Future[Floats]]) -> Floats:
                nonlocal done
                batches = []
                for future in futures:
                    batches.append(future.result())
                    done += len(batches[-1])
                    progress.update(done)
                return np.concatenate(batches)

            pending: list[list[Future[Floats]]] = []
            try:
                for rows in slices:
                    pending.append(submit(rows))
                    if len(pending) > ahead:
                        yield collect(pending.pop(0))
                while pending:
                    yield collect(pending.pop(0))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
