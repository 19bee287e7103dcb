"""Fixtures that all tests share, and the isolation of the suite from the rest of the machine."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.helpers import SUITE_DIR

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from fmnist.data.dataset import FashionMNIST

PROJECT = Path(__file__).parents[1]
pytest_plugins = ["tests.helpers.checkout", "tests.helpers.plot_fixtures"]
# The longest files begin first; those that read the runs of the first one come last.
_FIRST = ("entrypoints/test_project_runs.py", "test_project.py", "training", "crossval", "models")


def _isolate() -> None:
    """Let this process and its children write caches, settings and state to temporary folders."""
    suite = Path(tempfile.mkdtemp(prefix="fmnist-tests-"))
    atexit.register(shutil.rmtree, suite, ignore_errors=True)
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "FMNIST_")):
            del os.environ[name]
    os.environ |= {
        SUITE_DIR: str(suite),
        "HOME": str(suite),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(suite / "hypothesis"),
        "MPLCONFIGDIR": str(suite / "matplotlib"),
        "PYTHONPATH": str(PROJECT),
    }
    for kind in ("CACHE", "CONFIG", "DATA", "STATE"):
        os.environ[f"XDG_{kind}_HOME"] = str(suite / kind.lower())


# Before matplotlib and other packages look for their folders; worker processes inherit it.
if SUITE_DIR not in os.environ:
    _isolate()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the files so that no worker process is idle at the end."""
    is_default_suite = config.getoption("markexpr") == "not slow"

    def position(item: pytest.Item) -> int:
        path = item.path.relative_to(PROJECT / "tests").as_posix()
        if path.startswith("entrypoints") and not path.startswith(_FIRST):
            return len(_FIRST) + 1 if is_default_suite else 0
        return next((n for n, start in enumerate(_FIRST) if path.startswith(start)), len(_FIRST))

    items.sort(key=position)


@pytest.fixture(scope="session")
def suite_dir() -> Path:
    """A folder that all worker processes share."""
    return Path(os.environ[SUITE_DIR])


@pytest.fixture(autouse=True)
def _working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's default store, and artifacts of any local store, are in the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _same_signal_handlers() -> Iterator[None]:
    """An interrupted run ignores signals from then on, and commands would inherit that."""
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signum, handler in handlers.items():
        signal.signal(signum, handler)


@pytest.fixture(autouse=True)
def _same_tracking_uri() -> Iterator[None]:
    """`mlflow.set_tracking_uri` takes precedence over the environment, also in later tests."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    if mlflow := sys.modules.get("mlflow"):
        mlflow.set_tracking_uri(before)
    if before is None:  # commands store the normalized URI
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    else:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "MlflowClient":
    """A client of a new store, which is the tracking store of this process."""
    import mlflow

    from tests.helpers.stores import create_store

    uri = create_store(tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient(uri)


@pytest.fixture(scope="session")
def small_data_dir(suite_dir: Path) -> Path:
    """A folder with 600 training and 200 test images in the files' real format."""
    from tests.helpers.data import write_small_data

    folder = suite_dir / "small_data"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folder.mkdir()
            write_small_data(folder)
    return folder


@pytest.fixture(scope="session")
def data(small_data_dir: Path) -> "FashionMNIST":
    from fmnist.data import dataset

    return dataset.load(str(small_data_dir), "auto")


@pytest.fixture(scope="session")
def tensorflow() -> None:
    """TensorFlow, started once in each process as the entry points start it."""
    from fmnist.training import runtime

    with suppress(RuntimeError):  # it keeps the thread settings of its first use
        runtime.start()


@pytest.fixture(scope="session")
def weights(
    data: "FashionMNIST", tensorflow: None, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A file of random weights of MobileNetV2 that pass a signal on to the last layer.

    The untrained statistics of its normalization layers would reduce it to almost nothing.
    """
    import keras
    import numpy as np

    keras.utils.set_random_seed(3)
    network = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    images = np.repeat(np.pad(data.train.images[:200], ((0, 0), (2, 2), (2, 2)))[..., None], 3, 3)
    network(images / 127.5 - 1, training=True)
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    network.save_weights(path)
    return str(path)
