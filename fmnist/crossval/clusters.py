"""Train folds on the machines of an existing Ray or Dask cluster, both optional packages."""

import importlib.util
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import warnings
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from fmnist.crossval.executors import Outcome, TrainFold, train_safely
from fmnist.data.splits import Fold
from fmnist.errors import BadInput
from fmnist.options import Crossval, configuration
from fmnist.results.training import FoldFailed

_PACKAGES: Final = {"ray": "ray", "dask": "distributed"}
_CONNECT_SECONDS: Final = 10
_CHECK_SECONDS: Final = 30
_RAY_RETRIES: Final = 3  # Dask's default
# TensorFlow's settings and the random state of Keras belong to the process: threads take turns.
_TRAINING_LOCK: Final = threading.Lock()


class RayExecutor:
    """A Ray cluster that this machine belongs to.

    The data go to Ray's object store: once to each machine, in memory shared by its processes.
    """

    attempts = 1  # Ray itself repeats a fold whose machine was lost.

    def __init__(self, address: str, train_fold: TrainFold, workers: int = 0) -> None:
        ray = _connect_ray(address)
        self._workers = workers
        self._code = _digest_code()
        self._train_fold = ray.put(train_fold)
        self._function = ray.remote(
            num_cpus=1, max_retries=_RAY_RETRIES, scheduling_strategy="SPREAD"
        )(train_remotely)
        self._references: dict[Future[Outcome], Any] = {}

    def capacity(self) -> int:
        return _limit(_ray_cores(), self._workers)

    def submit(self, fold: Fold) -> Future[Outcome]:
        reference = self._function.remote(self._train_fold, fold, self._code)
        future: Future[Outcome] = reference.future()
        self._references = {f: r for f, r in self._references.items() if not f.done()}
        self._references[future] = reference
        return future

    def close(self) -> None:
        import ray

        for reference in self._references.values():
            ray.cancel(reference, force=True)
        ray.shutdown()


class DaskExecutor:
    """A Dask cluster, given by the address of its scheduler.

    The data go once to each worker process. Dask cannot stop a running fold: after `close` its
    worker finishes it, and the result is discarded.
    """

    attempts = 1  # Dask itself repeats a fold whose worker was lost, three times by default.

    def __init__(self, address: str, train_fold: TrainFold, workers: int = 0) -> None:
        from distributed import Client

        self._client = Client(address, timeout=_CONNECT_SECONDS)
        self._executor = self._client.get_executor(pure=False)
        self._workers = workers
        self._code = _digest_code()
        # The data are the result of a task, which Dask repeats if the last worker that holds it
        # is lost; scattered data would be lost.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            self._train_fold = self._client.submit(_identity, train_fold, pure=False)
        self._addresses: dict[Future[Outcome], str] = {}

    def capacity(self) -> int:
        return _limit(len(self._client.ncores()), self._workers)

    def submit(self, fold: Fold) -> Future[Outcome]:
        # Dask does not know the duration of a fold: it would queue folds where the data are.
        self._addresses = {f: a for f, a in self._addresses.items() if not f.done()}
        busy = set(self._addresses.values())
        idle = [address for address in self._client.ncores() if address not in busy]
        future: Future[Outcome] = self._executor.submit(
            train_remotely,
            self._train_fold,
            fold,
            self._code,
            workers=idle[:1] or None,
            allow_other_workers=bool(idle),  # in case that worker is lost
        )
        if idle:
            self._addresses[future] = idle[0]
        return future

    def close(self) -> None:
        self._executor.shutdown(wait=False)
        self._client.close()


def _digest_code() -> str:
    """Return a digest of the code and libraries that train folds."""
    return configuration(Crossval(), "").digest


def train_remotely(train_fold: TrainFold, fold: Fold, code: str) -> Outcome:
    """Train a fold in a process of a cluster.

    Args:
        code: digest of the code and libraries of the machine that submitted the fold.
    """
    if _digest_code() != code:
        reason = (
            "the code or a library on its machine differs from those of the machine that submitted "
            "it; install the same clone and environment on every machine of the cluster"
        )
        return FoldFailed(fold.repeat, fold.fold, reason, "")
    with _TRAINING_LOCK:
        return train_safely(train_fold, fold)


def check_cluster(backend: str, address: str) -> None:
    """Check that the cluster answers and has a core; does nothing for backend=loky.

    Raises:
        BadInput: it does not, or the package for it is not installed.
    """
    if backend == "loky":
        return
    if importlib.util.find_spec(_PACKAGES[backend]) is None:
        raise BadInput(
            f"backend={backend}: the package {_PACKAGES[backend]} is not installed; install the "
            f"extra `{backend}`: uv sync --extra {backend}"
        )
    given = f"backend={backend}, cluster_address={address}"
    parts = re.fullmatch(r"(?:tcp://)?([^/:\s]+):(\d{1,5})", address)
    if not parts:
        raise BadInput(f"{given}: expected HOST:PORT of an existing cluster")
    try:
        socket.create_connection((parts[1], int(parts[2])), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise BadInput(
            f"{given}: connection failed ({error}); start the cluster or correct the address"
        ) from error
    # Ray and Dask retry for minutes if something else listens there, so a subprocess connects.
    script = (
        "import sys; from fmnist.crossval import clusters as c; print(c.count_cores(*sys.argv[1:]))"
    )
    project = str(Path(__file__).parents[2])
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, backend, address],
            env=os.environ | {"PYTHONPATH": project},
            capture_output=True,
            text=True,
            timeout=_CHECK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BadInput(
            f"{given}: this is not a {backend} cluster: no answer in {_CHECK_SECONDS} s"
        ) from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BadInput(f"{given}: this is not a {backend} cluster of the same version: {reason}")
    if int(done.stdout.split()[-1]) == 0:
        raise BadInput(f"{given}: the cluster has no worker; start one")


def count_cores(backend: str, address: str) -> int:
    """Connect to a cluster and return its number of cores."""
    if backend == "ray":
        _connect_ray(address)
        return _ray_cores()
    from distributed import Client

    with Client(address, timeout=_CONNECT_SECONDS, set_as_default=False) as client:
        return sum(client.ncores().values())


def import_ray() -> Any:
    """Import Ray, whose workers are to run in the environment in which each node was started."""
    # By default Ray starts them by the `uv run` command of a parent process instead, in a copy of
    # the working directory without .venv, and waits forever for a worker that cannot start.
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    import ray

    return ray


def _connect_ray(address: str) -> Any:
    ray = import_ray()
    handler = signal.getsignal(signal.SIGTERM)
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    signal.signal(signal.SIGTERM, handler)  # Ray installs one that ends the process at once.
    return ray


def _ray_cores() -> int:
    import ray

    return int(ray.cluster_resources().get("CPU", 0))


def _limit(available: int, workers: int) -> int:
    return max(1, min(available, workers or available))


def _identity(train_fold: TrainFold) -> TrainFold:
    return train_fold
