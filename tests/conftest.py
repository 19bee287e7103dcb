"""What all tests share: a small data set in real files."""

import gzip
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from fmnist.data import dataset, files, idx
from fmnist.eda import explore
from fmnist.results.eda import Exploration
from fmnist.results.training import CLASSES
from fmnist.system.progress import Steps
from fmnist.training import runtime

pytest_plugins = ["tests.helpers.plot_fixtures", "tests.helpers.training_fixtures"]

SMALL_TRAIN_ROWS = 600
SMALL_TEST_ROWS = 200
SLOWEST_FIRST = ("entrypoints", "training/test_resume.py", "training", "crossval")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no process is left alone with one at the end."""
    rooms = [str(Path(__file__).parent / room) for room in SLOWEST_FIRST]

    def place(item: pytest.Item) -> int:
        return next(
            (n for n, room in enumerate(rooms) if str(item.path).startswith(room)), len(rooms)
        )

    items.sort(key=place)


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """A run that fails here stops listening to them; commands of later tests would inherit that."""
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signum, handler in handlers.items():
        signal.signal(signum, handler)


@pytest.fixture(autouse=True)
def _store_as_before() -> Iterator[None]:
    """A store that a test has MLflow use would outweigh what later tests say in the environment."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    if mlflow := sys.modules.get("mlflow"):
        mlflow.set_tracking_uri(before)


@pytest.fixture(scope="session")
def small_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 600 training and 200 test images in the four files' real format.

    Each class has a coarse random pattern of its own, shifted by up to two pixels and drowned in
    some noise: a small network learns it in a few epochs, but not at once. Balanced, seeded.
    """
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 200, size=(CLASSES, 7, 7))
    patterns = np.kron(coarse, np.ones((4, 4), dtype=np.int64))
    folder = tmp_path_factory.mktemp("small_data")
    for rows, images_name, labels_name in (
        (SMALL_TRAIN_ROWS, files.TRAIN_IMAGES, files.TRAIN_LABELS),
        (SMALL_TEST_ROWS, files.TEST_IMAGES, files.TEST_LABELS),
    ):
        labels = rng.permutation(np.arange(rows) % CLASSES)
        shifts = rng.integers(-2, 3, size=(rows, 2))
        shifted = [
            np.roll(patterns[label], shift, (0, 1))
            for label, shift in zip(labels, shifts, strict=True)
        ]
        noisy = np.stack(shifted) + rng.normal(0, 40, size=(rows, idx.SIDE, idx.SIDE))
        images = np.clip(noisy, 0, 255).astype(np.uint8)
        for name, array in ((images_name, images), (labels_name, labels.astype(np.uint8))):
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx.encode(array), mtime=0))
    return folder


@pytest.fixture(scope="session")
def explored(small_data_dir: Path) -> Exploration:
    """All that is found in the small data set, with a t-SNE of 300 of its images."""
    data = dataset.load(str(small_data_dir), "auto")
    with threadpool_limits(1):  # so small that threads would only wait for each other
        return explore.explore(data, tsne_rows=300, perplexity=10, seed=0, steps=Steps())


@pytest.fixture(scope="session")
def tensorflow() -> None:
    """TensorFlow as the entry points start it; every test that uses it in this process asks."""
    runtime.start()
