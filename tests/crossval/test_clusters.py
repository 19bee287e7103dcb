"""Folds on real Ray and Dask clusters of two machines (Ray nodes, Dask workers) with one core."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from distributed import Client

from fmnist.crossval import clusters
from fmnist.crossval.clusters import DaskExecutor, RayExecutor, check_cluster, train_remotely
from fmnist.crossval.executors import run_folds
from fmnist.crossval.folds import CrossvalInputs, with_features
from fmnist.crossval.run import start_executor
from fmnist.data.splits import Fold
from fmnist.errors import BadInput
from fmnist.options import Crossval
from fmnist.results.training import Evaluation, FoldFailed, FoldResult, History
from tests.crossval.test_folds import inputs_for

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
ROWS = np.arange(3)
FOLDS = [Fold(1, fold, ROWS, ROWS) for fold in range(1, 5)]
SECONDS = 120
TESTS = "this_machine or lost_machine"
BACKENDS = os.environ.get("FMNIST_TEST_CLUSTERS", "dask").split(",")


@dataclass
class Machines:
    """A cluster; `lose` stops the machine on which a process runs."""

    backend: str
    address: str
    lose: Callable[[int], None]


@pytest.fixture(scope="module", params=BACKENDS)
def machines(request, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PROJECT))
        start = {"ray": ray_machines, "dask": dask_machines}[request.param]
        yield from start(tmp_path_factory.mktemp("cluster"))


def ray_machines(folder: Path) -> Iterator[Machines]:
    clusters.import_ray()
    from ray.cluster_utils import Cluster

    node = {"include_dashboard": False, "object_store_memory": 100 << 20}
    # The head node cannot be removed, so it has no core to train on.
    cluster = Cluster(initialize_head=True, head_node_args={**node, "num_cpus": 0})
    for _ in range(2):
        cluster.add_node(**node, num_cpus=1)

    def lose(pid: int) -> None:
        parents = {parent.pid for parent in psutil.Process(pid).parents()}
        [node] = [n for n in cluster.list_all_nodes() if raylet_of(n) in parents]
        cluster.remove_node(node, allow_graceful=False)

    yield Machines("ray", cluster.address, lose)
    cluster.shutdown()


def raylet_of(node) -> int:
    [raylet] = node.all_processes["raylet"]
    return raylet.process.pid


def dask_machines(folder: Path) -> Iterator[Machines]:
    port = free_port()
    address = f"127.0.0.1:{port}"
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with (folder / "dask.log").open("w") as log:
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{name}", *arguments],
                cwd=folder,
                stdout=log,
                stderr=log,
            )
            for name, *arguments in (scheduler, worker, worker)
        ]
    with Client(address, timeout=SECONDS) as client:
        client.wait_for_workers(2, timeout=SECONDS)
    yield Machines("dask", address, lambda pid: os.kill(pid, signal.SIGKILL))
    for process in processes:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def wait_for_second(folder: Path, fold: Fold) -> FoldResult:
    """Fold 2 waits to lose its machine on the first attempt; the others wait for fold 2."""
    attempts = list(folder.glob("fold-2-*"))
    (folder / f"fold-{fold.fold}-{os.getpid()}").touch()
    if fold.fold == 2 and not attempts:
        time.sleep(600)
    while not list(folder.glob("fold-2-*")):
        time.sleep(0.05)
    evaluation = Evaluation(np.zeros(3, np.int64), np.full((3, 10), 0.1, np.float32))
    history = History(({"pid": os.getpid()},))
    return FoldResult(1, fold.fold, history, ROWS, evaluation, evaluation, 1.0, 1, 0.0)


Local = tuple[CrossvalInputs, tuple[Fold, ...], dict[int, FoldResult]]


@pytest.fixture(scope="module")
def local(data, weights, tmp_path_factory) -> Local:
    """Folds of a backbone trained on this machine; the feature cache is removed afterwards."""
    cache = tmp_path_factory.mktemp("cache")
    options = Crossval(
        model="mobilenetv2", weights=weights, feature_layers="multi",
        train_size=200, folds=2, epochs=1, cache_dir=str(cache),
    )  # fmt: skip
    inputs, folds = inputs_for(options, data)
    inputs = with_features(inputs)
    with closing(start_executor(inputs)) as executor:
        results = {result.fold: result for result in run_folds(executor, folds)}
    shutil.rmtree(cache)
    return inputs, folds, results


def test_results_equal_those_of_this_machine(machines: Machines, local: Local) -> None:
    inputs, folds, expected = local
    check_cluster(machines.backend, machines.address)
    options = inputs.options.model_copy(
        update={"backend": machines.backend, "cluster_address": machines.address}
    )
    handler = signal.getsignal(signal.SIGTERM)
    with closing(start_executor(replace(inputs, options=options))) as executor:
        results = list(run_folds(executor, folds))
    assert signal.getsignal(signal.SIGTERM) is handler
    assert sorted(result.fold for result in results) == [1, 2]
    for result in results:
        assert isinstance(result, FoldResult), result
        for name in ("held_out", "test"):
            np.testing.assert_array_equal(
                getattr(result, name).probabilities,
                getattr(expected[result.fold], name).probabilities,
            )


@pytest.mark.faults
def test_a_lost_machine_costs_no_fold(machines: Machines, tmp_path: Path) -> None:
    start = {"ray": RayExecutor, "dask": DaskExecutor}[machines.backend]
    with closing(start(machines.address, partial(wait_for_second, tmp_path))) as executor:
        outcomes = run_folds(executor, FOLDS)
        first = next(outcomes)
        [attempt] = tmp_path.glob("fold-2-*")
        lost = int(attempt.name.split("-")[2])
        machines.lose(lost)
        results = [first, *outcomes]
    assert sorted(result.fold for result in results) == [1, 2, 3, 4]
    assert all(isinstance(result, FoldResult) for result in results)
    assert lost not in [result.history.column("pid")[0] for result in results]
    assert len(list(tmp_path.glob("fold-2-*"))) == 2


@pytest.mark.faults
def test_ray_in_a_separate_process() -> None:
    """Run the tests above for Ray, whose threads may crash their process when it ends.

    They run below `uv run`, as in the README's commands, which Ray would repeat on its nodes.
    """
    environment = {k: text for k, text in os.environ.items() if not k.startswith("PYTEST")}
    uv = os.path.relpath(Path(sys.executable).with_name("uv"), PROJECT)
    command = [uv, "run", "--no-sync", "--no-project", sys.executable, "-m", "pytest"]
    command += ["-v", "-n0", "-m", "", "-k", TESTS, __file__]
    # Ray's workers have a low priority: beside tests that use all cores, they would hardly run.
    environment |= {"FMNIST_TEST_CLUSTERS": "ray", "RAY_worker_niceness": "0"}
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=5 * SECONDS,
        check=False,
    )
    assert done.stdout.count("[ray] PASSED") == 2, done.stdout + done.stderr


def test_different_code_on_a_machine_fails_the_fold() -> None:
    outcome = train_remotely(lambda fold: pytest.fail("must not be trained"), FOLDS[0], "other")
    assert isinstance(outcome, FoldFailed)
    assert "code" in outcome.reason


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_unusable_clusters_are_rejected(backend: str, monkeypatch) -> None:
    with pytest.raises(BadInput, match="expected HOST:PORT"):
        check_cluster(backend, "ray://head")
    with pytest.raises(BadInput, match="connection failed"):
        check_cluster(backend, f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(clusters, "_CHECK_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BadInput, match=f"not a {backend} cluster"):
            check_cluster(backend, address)
    package = {"ray": "ray", "dask": "distributed"}[backend]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadInput, match=f"not installed; install the extra `{backend}`"):
        check_cluster(backend, "127.0.0.1:1")
