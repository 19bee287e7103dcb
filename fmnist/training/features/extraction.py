"""One pass of a frozen backbone over images, parts of it side by side on all cores."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psutil
import tensorflow as tf

from fmnist.models.transfer import Transfer
from fmnist.training.features.entry import CHUNK_ROWS, Floats
from fmnist.training.features.progress import Progress
from fmnist.training.features.store import Cached, cached

# Images in one part at a side of 32; parts of larger images hold fewer, for the same memory.
# Fewer would cost time: TensorFlow rearranges a convolution's weights anew for every part.
_PART: Final = 256
_PART_SIDE: Final = 32
_PART_BYTES: Final = 250 << 20  # that a part takes on its way through VGG16
_LIBRARIES: Final = ("keras", "tensorflow")
_PROBED_ROWS: Final = 8
_PROBE_TOLERANCE: Final = 1e-3  # relative to the largest feature of the rows compared


def features(parts: Transfer, images: npt.NDArray[np.uint8], folder: Path) -> Cached:
    """The features (n, d) float32 of images (n, 28, 28) uint8, from the cache or computed now.

    Args:
        folder: of the cache, see `store.folder_of`.
    """
    made_of = {
        "images": sha256(np.ascontiguousarray(images).tobytes()).hexdigest(),
        "backbone": parts.backbone.name,
        "weights": parts.weights_digest,
        "input_size": str(parts.side),
        "input_scaling": parts.input_scaling,
        "feature_layers": parts.feature_layers,
        "precision": "float32",
        "augmentation": "none",
    } | {library: version(library) for library in _LIBRARIES}
    extract = _extraction(parts)

    def looks_right(array: Floats) -> bool:
        rows = np.linspace(0, len(images) - 1, min(_PROBED_ROWS, len(images))).astype(np.int64)
        expected = extract.part(images[rows])
        difference = float(np.abs(array[rows] - expected).max())
        return difference <= _PROBE_TOLERANCE * float(np.abs(expected).max())

    width = int(parts.extractor.output.shape[1])
    return cached(
        folder,
        made_of,
        (len(images), width),
        lambda slices: extract.chunks(images, slices),
        looks_right,
    )


@lru_cache(maxsize=1)  # training and test images go through the same graph
def _extraction(parts: Transfer) -> "_Extraction":
    return _Extraction(parts)


class _Extraction:
    def __init__(self, parts: Transfer) -> None:
        extractor = parts.extractor
        self._name = parts.backbone.name
        room = _PART * (_PART_SIDE / parts.side) ** 2
        # A power of two divides a chunk: a part never depends on where an extraction resumed.
        self._part_rows = min(CHUNK_ROWS, max(1, 2 ** int(np.log2(max(room, 1)))))
        self._run = tf.function(
            lambda images: extractor(images, training=False),
            input_signature=[tf.TensorSpec((None, 28, 28), tf.uint8)],
            autograph=False,
            jit_compile=False,
        )

    def part(self, images: npt.NDArray[np.uint8]) -> Floats:
        values: Floats = self._run(tf.constant(images)).numpy()
        return values

    def chunks(self, images: npt.NDArray[np.uint8], slices: Sequence[slice]) -> Iterator[Floats]:
        """The features of each slice, computed ahead of whoever takes them.

        A core computes a part by itself: the result does not depend on how many cores there are.
        """
        self.part(images[:1])  # traced before threads could do so twice
        cores = tf.config.threading.get_inter_op_parallelism_threads() or 1
        cores = max(1, min(cores, psutil.virtual_memory().available // _PART_BYTES))
        ahead = 1 + cores * self._part_rows // CHUNK_ROWS
        total = sum(rows.stop - rows.start for rows in slices)
        with (
            Progress(f"{self._name} features", total) as progress,
            ThreadPoolExecutor(cores) as pool,
        ):
            waiting: list[list[Any]] = []
            try:
                for rows in slices:
                    starts = range(rows.start, rows.stop, self._part_rows)
                    stops = (min(start + self._part_rows, rows.stop) for start in starts)
                    waiting.append(
                        [
                            pool.submit(self.part, images[a:b])
                            for a, b in zip(starts, stops, strict=True)
                        ]
                    )
                    if len(waiting) > ahead:
                        yield self._joined(waiting.pop(0), progress)
                while waiting:
                    yield self._joined(waiting.pop(0), progress)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    def _joined(futures: Sequence[Any], progress: Progress) -> Floats:
        values = []
        for future in futures:
            values.append(future.result())
            progress.advance(len(values[-1]))
        return np.concatenate(values)
