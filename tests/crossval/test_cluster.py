"""Folds on real clusters of two machines with a core each: the same results, none lost, none twice.

A machine is what can be lost as a whole: a node of Ray, a worker of Dask.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from distributed import Client
from ray.cluster_utils import Cluster

from fmnist.crossval import cluster_check as reach
from fmnist.crossval.backends import train_folds
from fmnist.crossval.cluster import attempt, run_on
from fmnist.crossval.cluster_check import check_in_reach
from fmnist.crossval.dask_backend import OnDask
from fmnist.crossval.features_subprocess import with_features
from fmnist.crossval.fold import CrossvalInputs
from fmnist.crossval.ray_backend import OnRay
from fmnist.data.splits import Fold
from fmnist.errors import BadInput
from fmnist.options import Crossval
from fmnist.results.training import Evaluation, FoldFailed, FoldResult, History
from tests.crossval.test_fold import material_of

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
ROWS = np.arange(3)
FOLDS = [Fold(1, fold, ROWS, ROWS) for fold in range(1, 5)]
SECONDS = 120
TESTS = "on_this_machine or lost_machine"
BACKENDS = os.environ.get("FMNIST_TEST_CLUSTERS", "dask").split(",")


@dataclass
class Machines:
    """A cluster, and how to lose the machine that a process runs on."""

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
    node = {"include_dashboard": False, "object_store_memory": 100 << 20}
    # Ray lets nobody remove the node that this process is connected to: it trains no fold.
    cluster = Cluster(initialize_head=True, head_node_args={**node, "num_cpus": 0})
    for _ in range(2):
        cluster.add_node(**node, num_cpus=1)

    def lose(pid: int) -> None:
        above = {parent.pid for parent in psutil.Process(pid).parents()}
        [node] = [n for n in cluster.list_all_nodes() if raylet_of(n) in above]
        cluster.remove_node(node, allow_graceful=False)

    yield Machines("ray", cluster.address, lose)
    cluster.shutdown()


def raylet_of(node) -> int:
    [raylet] = node.all_processes["raylet"]
    return raylet.process.pid


def dask_machines(folder: Path) -> Iterator[Machines]:
    port = free_port()
    address = f"127.0.0.1:{port}"
    cli = [sys.executable, "-m", "distributed.cli.dask_"]
    worker = [address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    commands = [["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]]
    commands += [["worker", *worker]] * 2
    with (folder / "dask.log").open("w") as log:
        processes = [
            subprocess.Popen([*cli[:2], cli[2] + name, *words], cwd=folder, stdout=log, stderr=log)
            for name, *words in commands
        ]
    with Client(address, timeout=SECONDS) as client:
        client.wait_for_workers(2, timeout=SECONDS)
    yield Machines("dask", address, lambda pid: os.kill(pid, signal.SIGKILL))
    for process in processes:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sent:
    """An array that leaves a file behind wherever it arrives."""

    def __init__(self, folder: Path, array: npt.NDArray[np.float64]) -> None:
        self.folder, self.array = folder, array

    def __reduce__(self) -> tuple:
        return arrive, (self.folder, self.array)


def arrive(folder: Path, array: npt.NDArray[np.float64]) -> Sent:
    (folder / f"arrived-{os.getpid()}-{time.time_ns()}").touch()
    return Sent(folder, array)


def wait_on_second(sent: Sent, fold: Fold) -> FoldResult:
    """Fold 2 waits, the first time it is tried, for its machine to be lost; the others for it."""
    tried = list(sent.folder.glob("fold-2-*"))
    (sent.folder / f"fold-{fold.fold}-{os.getpid()}").touch()
    if fold.fold == 2 and not tried:
        time.sleep(600)
    while not list(sent.folder.glob("fold-2-*")):
        time.sleep(0.05)
    answers = Evaluation(np.zeros(3, np.int64), np.full((3, 10), 0.1, np.float32))
    told = {"pid": os.getpid(), "shared": not sent.array.flags.writeable}
    return FoldResult(1, fold.fold, History((told,)), ROWS, answers, answers, 1.0, 1, 0.0)


@pytest.fixture(scope="module")
def here(data, weights, tmp_path_factory) -> tuple[CrossvalInputs, dict[int, FoldResult]]:
    """A backbone's folds, trained on this machine; then the files of its features are gone."""
    cache = tmp_path_factory.mktemp("cache")
    options = Crossval(
        model="mobilenetv2", weights=weights, feature_layers="multi",
        train_size=200, folds=2, epochs=1, cache_dir=str(cache),
    )  # fmt: skip
    material = with_features(material_of(options, data))
    results = {result.fold: result for result in train_folds(material, material.divided.folds)}
    shutil.rmtree(cache)
    return material, results


def test_the_same_as_on_this_machine(machines: Machines, here) -> None:
    material, expected = here
    check_in_reach(machines.backend, machines.address)
    options = material.options.model_copy(
        update={"backend": machines.backend, "cluster_address": machines.address}
    )
    handler = signal.getsignal(signal.SIGTERM)
    there = replace(material, options=options)
    results = list(train_folds(there, material.divided.folds))
    assert signal.getsignal(signal.SIGTERM) is handler
    assert sorted(result.fold for result in results) == [1, 2]
    for result in results:
        assert isinstance(result, FoldResult), result
        for mine, other in (
            (result.held_out, expected[result.fold].held_out),
            (result.test, expected[result.fold].test),
        ):
            np.testing.assert_array_equal(mine.probabilities, other.probabilities)


@pytest.mark.faults
def test_a_lost_machine_costs_no_fold(machines: Machines, tmp_path: Path) -> None:
    connect = {"ray": OnRay, "dask": OnDask}[machines.backend]
    sent = Sent(tmp_path, np.zeros(1 << 18))
    train = partial(wait_on_second, sent)
    with closing(run_on(partial(connect, machines.address, train), FOLDS, 0)) as arriving:
        first = next(arriving)
        [tried] = tmp_path.glob("fold-2-*")
        lost = int(tried.name.split("-")[2])
        arrived = Counter(mark.name.split("-")[1] for mark in tmp_path.glob("arrived-*"))
        machines.lose(lost)
        results = [first, *arriving]
    assert sorted(result.fold for result in results) == [1, 2, 3, 4]
    assert all(isinstance(result, FoldResult) for result in results)
    assert lost not in [result.history.column("pid")[0] for result in results]
    assert len(list(tmp_path.glob("fold-2-*"))) == 2
    if machines.backend == "ray":  # the machine's processes read one copy, in memory they share
        assert all(result.history.column("shared") == (True,) for result in results)
    else:
        # What a lost worker had may travel once more, so this was counted before.
        assert arrived == dict.fromkeys(arrived, 1)


@pytest.mark.faults
def test_ray_in_a_process_of_its_own() -> None:
    """The tests above: Ray's threads may crash the process in which a cluster was, at its end."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-v", "-n0", "-k", TESTS, __file__]
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=kept | {"FMNIST_TEST_CLUSTERS": "ray"},
        capture_output=True,
        text=True,
        timeout=3 * SECONDS,
        check=False,
    )
    assert done.stdout.count("[ray] PASSED") == 2, done.stdout + done.stderr


def test_other_code_on_a_machine_is_noticed() -> None:
    told = attempt(lambda fold: pytest.fail("it must not be trained"), FOLDS[0], "other code")
    assert isinstance(told, FoldFailed)
    assert "another version of the code" in told.reason


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_clusters_that_cannot_be_used(backend: str, monkeypatch) -> None:
    with pytest.raises(BadInput, match="wanted HOST:PORT of an existing cluster"):
        check_in_reach(backend, "ray://head")
    with pytest.raises(BadInput, match="nobody listens there"):
        check_in_reach(backend, f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(reach, "_ANSWER_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(BadInput, match=f"what listens there is no {backend} cluster"):
            check_in_reach(backend, address)
    package = {"ray": "ray", "dask": "distributed"}[backend]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadInput, match=f"not installed; install the extra `{backend}`"):
        check_in_reach(backend, "127.0.0.1:1")
