"""Runs during faults of their tracking server: a real server behind a proxy that fails."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from fmnist import names
from fmnist.errors import BadInput, TrackingIncomplete, WorkFailed
from fmnist.options import Promote, Train
from fmnist.registry.run import promote
from fmnist.tracking import lookup, store
from fmnist.tracking.nested import NestedRun, log_nested_run
from fmnist.tracking.offline import sync
from fmnist.tracking.offline.journal import Journal, find_journals
from fmnist.tracking.run import Run, open_run
from tests.helpers.proxy import Fate, Proxy, proxied
from tests.helpers.registered_runs import aliases, log_model_run
from tests.helpers.servers import free_port, tracking_server

pytestmark = [pytest.mark.faults, pytest.mark.slow]

EPOCHS = 5
LOG_BATCH = "runs/log-batch"


@pytest.fixture(scope="module")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(server_folder: Path) -> Iterator[str]:
    with tracking_server(server_folder, free_port()) as uri:
        yield uri


@pytest.fixture
def proxy(server: str, tmp_path: Path, monkeypatch) -> Iterator[Proxy]:
    """A proxy in front of the server, and an experiment for the test."""
    with proxied(server) as fault_proxy:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", fault_proxy.address)
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", tmp_path.name)
        monkeypatch.setenv(names.JOURNAL_DIR, str(tmp_path / "journal"))
        monkeypatch.setenv(names.FLUSH_TIMEOUT, "120")
        mlflow.set_tracking_uri(fault_proxy.address)
        yield fault_proxy


@pytest.fixture
def client(server: str) -> MlflowClient:
    """A client that bypasses the proxy."""
    return MlflowClient(server, server)


def runs(client: MlflowClient, tmp_path: Path) -> list[StoredRun]:
    [experiment] = client.search_experiments(filter_string=f"name = '{tmp_path.name}'")
    return list(client.search_runs([experiment.experiment_id]))


def logged_epochs(client: MlflowClient, run: StoredRun) -> list[tuple[int, float]]:
    history = client.get_metric_history(run.info.run_id, names.VAL_LOSS)
    return [(metric.step, metric.value) for metric in history]


ALL_EPOCHS = [(epoch, 0.5**epoch) for epoch in range(1, EPOCHS + 1)]


def train(run: Run) -> None:
    for epoch in range(1, EPOCHS + 1):
        run.log_epoch(epoch, {names.VAL_LOSS: 0.5**epoch})


def open_and_run(work: Callable[[Run], None]) -> None:
    with open_run("train", Train(), {}) as run:
        work(run)


def incomplete(work: Callable[[Run], None], monkeypatch) -> str:
    """Run the work and return the message that its records are incomplete."""
    monkeypatch.setenv(names.FLUSH_TIMEOUT, "2")
    with pytest.raises(TrackingIncomplete) as raised:
        open_and_run(work)
    return str(raised.value)


def test_slow_server_does_not_delay_the_work(
    proxy: Proxy, client: MlflowClient, tmp_path: Path
) -> None:
    with open_run("train", Train(), {}) as run:
        proxy.fate = lambda method, path: "wait"
        train(run)
        run.log_files({"a.txt": b"A"})
        while not proxy.count(LOG_BATCH, "wait"):
            proxy.gate.wait(0.05)
        assert client.get_metric_history(run.run_id, names.VAL_LOSS) == []
        proxy.fate = lambda method, path: "pass"
        proxy.gate.set()
    [stored] = runs(client, tmp_path)
    assert (stored.info.status, logged_epochs(client, stored)) == ("FINISHED", ALL_EPOCHS)
    assert find_journals(tmp_path / "journal") == []


def test_outage_is_reported_once_and_nothing_is_lost(
    proxy: Proxy, client: MlflowClient, tmp_path: Path, capfd
) -> None:
    """Also, the responses to the creation of the experiment and of the run are lost."""
    proxy.lose_first("experiments/create", "runs/create")
    with open_run("train", Train(), {}) as run:
        train(run)
        proxy.fail(503)
        run.log_summary({names.TEST_ACCURACY: 0.5})
        run.log_images("mistakes", [np.zeros((20, 20), np.uint8)])
        while ("POST", f"/api/2.0/mlflow/{LOG_BATCH}", 503) not in proxy.seen:
            proxy.gate.wait(0.05)
        proxy.fate = lambda method, path: "pass"
    assert proxy.count("runs/create", "lose") == 1
    [stored] = runs(client, tmp_path)
    assert (stored.info.status, logged_epochs(client, stored)) == ("FINISHED", ALL_EPOCHS)
    assert len(client.get_metric_history(run.run_id, names.TEST_ACCURACY)) == 1
    images = [file.path for file in client.list_artifacts(run.run_id, "images")]
    assert len(images) == 2  # with the reduced copy
    assert all(path.startswith("images/mistakes+step+1+") for path in images)
    output = capfd.readouterr().err
    assert output.count("is unavailable") == output.count("is available again") == 1


def test_server_that_does_not_come_back(
    proxy: Proxy, client: MlflowClient, tmp_path: Path, capfd, monkeypatch
) -> None:
    def work(run: Run) -> None:
        proxy.fail()
        train(run)
        fold = NestedRun(
            name="fold 1",
            params={"fold": "1"},
            tags={names.TAG_KIND: "fold"},
            started=999_999_999,
            ended=1_000_000_000,
            metrics={names.FOLD_ACCURACY: 0.5},
        )
        log_nested_run(run, fold)

    message = incomplete(work, monkeypatch)
    [folder] = find_journals(tmp_path / "journal")
    assert f"python -m fmnist sync {folder}" in message
    [run] = runs(client, tmp_path)
    assert run.info.status == "RUNNING"
    run_id = run.info.run_id
    assert sync.sync(folder) == 5  # still unavailable

    client.set_terminated(run_id, "KILLED")  # as `reap` does
    client.set_tag(run_id, names.TAG_ERROR, "its process ended without closing it")
    proxy.lose_first("runs/create", LOG_BATCH, "runs/update")
    assert sync.sync(folder) == 5
    codes = []
    while folder.exists():
        codes.append(sync.sync(folder))
    assert codes[-1] == 0
    stored = {run.data.tags[names.TAG_KIND]: run for run in runs(client, tmp_path)}
    assert stored.keys() == {"train", "fold"}
    assert len(runs(client, tmp_path)) == 2
    assert {run.info.status for run in stored.values()} == {"FINISHED"}
    assert logged_epochs(client, stored["train"]) == ALL_EPOCHS
    assert names.TAG_ERROR not in stored["train"].data.tags
    assert stored["fold"].info.end_time == 1_000_000_000_000
    assert stored["fold"].data.params == {"fold": "1"}
    assert stored["fold"].data.metrics == {names.FOLD_ACCURACY: 0.5}
    assert stored["fold"].data.tags["mlflow.parentRunId"] == run_id


def test_next_command_uploads_earlier_records(
    proxy: Proxy, client: MlflowClient, tmp_path: Path, monkeypatch
) -> None:
    def work(run: Run) -> None:
        proxy.fail()
        train(run)

    incomplete(work, monkeypatch)
    [run] = runs(client, tmp_path)
    proxy.fate = lambda method, path: "pass"
    store._open.cache_clear()  # as in another process
    with open_run("train", Train(seed=1), {}):
        assert client.get_run(run.info.run_id).info.status == "FINISHED"
    assert logged_epochs(client, run) == ALL_EPOCHS


def test_server_that_cannot_store_files(
    proxy: Proxy, client: MlflowClient, server_folder: Path, tmp_path: Path, capfd, monkeypatch
) -> None:
    """The artifact directory of the server is a disk of 64 kB."""
    artifacts = server_folder / "artifacts"
    artifacts.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(artifacts)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")

    def work(run: Run) -> None:
        train(run)
        run.log_files({"big.bin": bytes(10**6)})
        while "is unavailable" not in capfd.readouterr().err:
            proxy.gate.wait(0.05)

    try:
        message = incomplete(work, monkeypatch)
    finally:
        subprocess.run(["umount", str(artifacts)], check=True)
    assert "files cannot be stored (" in message
    assert "big.bin" in message
    [run] = runs(client, tmp_path)
    assert logged_epochs(client, run) == ALL_EPOCHS
    [folder] = find_journals(tmp_path / "journal")
    assert sync.sync(folder) == 0
    stored = Path(client.download_artifacts(run.info.run_id, "big.bin", str(tmp_path)))
    assert stored.read_bytes() == bytes(10**6)
    assert client.get_run(run.info.run_id).info.status == "FINISHED"


@pytest.mark.parametrize("status", [400, 403])
def test_rejected_record_fails_the_run(
    proxy: Proxy, client: MlflowClient, tmp_path: Path, status: int
) -> None:
    def work(run: Run) -> None:
        while proxy.count(LOG_BATCH) < 2:  # the records of the start
            proxy.gate.wait(0.05)
        proxy.fate = lambda method, path: status if path.endswith(LOG_BATCH) else "pass"
        run.log_epoch(1, {names.VAL_LOSS: 1.0})
        while not proxy.count(LOG_BATCH, status):
            proxy.gate.wait(0.05)
        proxy.fate = lambda method, path: "pass"
        while True:
            run.log_epoch(2, {names.VAL_LOSS: 0.5})
            proxy.gate.wait(0.05)

    with pytest.raises((MlflowException, WorkFailed), match=str(status)):
        open_and_run(work)
    [run] = runs(client, tmp_path)
    assert run.info.status == "FAILED"
    rejected = [
        path for folder in find_journals(tmp_path / "journal") for path in folder.glob("rejected-*")
    ]
    assert len(rejected) == (status == 400)  # permissions may change, an invalid value stays so


def test_registered_name_of_another_user(
    proxy: Proxy, client: MlflowClient, tmp_path: Path
) -> None:
    """The run is uploaded completely all the same, with its model."""
    proxy.fate = lambda method, path: 403 if path.endswith("model-versions/create") else "pass"

    def work(run: Run) -> None:
        train(run)
        run.log_model("lenet5", 1, tiny_model)
        run.register("adas", {})

    with pytest.raises(WorkFailed, match=r"denies no user name this request: .*create"):
        open_and_run(work)
    [run] = runs(client, tmp_path)
    assert (run.info.status, logged_epochs(client, run)) == ("FAILED", ALL_EPOCHS)
    assert "403" in run.data.tags[names.TAG_ERROR]
    assert client.get_logged_model(run.outputs.model_outputs[0].model_id).status == "READY"
    [folder] = find_journals(tmp_path / "journal")
    [rejected] = folder.glob("rejected-*")
    assert '"register"' in (rejected / "record.json").read_text()


def tiny_model(folder: Path) -> None:
    """Write the files of a model that is never loaded."""
    (folder / "data").mkdir()
    (folder / "data" / "model.keras").write_bytes(b"a model")
    Model(run_id="", flavors={"keras": {}}).save(str(folder / "MLmodel"))


def test_lost_responses_of_a_promotion(proxy: Proxy, client: MlflowClient, tmp_path: Path) -> None:
    client.create_experiment(tmp_path.name)
    run_id = log_model_run(client, tmp_path, 300)
    name = f"clothes-of-{tmp_path.name}"
    proxy.lose_first(
        "registered-models/create", "model-versions/create", "registered-models/alias",
        "model-versions/update", "model-versions/set-tag", "runs/create", LOG_BATCH, "runs/update",
    )  # fmt: skip
    promote(Promote(register_as=name, run=run_id, cache_dir=str(tmp_path)))
    for end in ("registered-models/create", "model-versions/create", "registered-models/alias"):
        assert proxy.count(end, "lose") == 1
    assert aliases(client, name) == {"champion": 1, "challenger": 1}
    assert len(client.search_model_versions(f"name='{name}'")) == 1
    decided = [run for run in runs(client, tmp_path) if run.info.run_id != run_id]
    assert [run.info.status for run in decided] == ["FINISHED"]


def test_interrupted_upload(proxy: Proxy, client: MlflowClient, tmp_path: Path) -> None:
    """The connection breaks after half of the file."""
    cut: list[str] = []

    def fate(method: str, path: str) -> Fate:
        if method == "PUT" and path.endswith("big.bin") and not cut:
            cut.append(path)
            return "cut"
        return "pass"

    proxy.fate = fate
    content = bytes(range(256)) * 4096
    with open_run("train", Train(), {}) as run:
        run.log_files({"big.bin": content})
    assert len(cut) == 1
    [stored] = runs(client, tmp_path)
    assert stored.info.status == "FINISHED"
    path = client.download_artifacts(stored.info.run_id, "big.bin", str(tmp_path))
    assert Path(path).read_bytes() == content


@pytest.mark.parametrize("fate", ["wait", 500])
def test_server_that_does_not_respond_at_the_start(proxy: Proxy, monkeypatch, fate) -> None:
    monkeypatch.setattr(lookup, "_TIMEOUT_SECONDS", 0.2)
    proxy.fate = lambda method, path: fate
    with pytest.raises(WorkFailed, match=r"127.0.0.1:\d+ cannot be reached \(3 requests"):
        lookup.check_server(proxy.address)


def test_run_fails_if_its_journal_cannot_be_created(
    proxy: Proxy, client: MlflowClient, tmp_path: Path, monkeypatch
) -> None:
    """The run was created before, and must not stay RUNNING."""

    def no_space(ref: object) -> Journal:
        raise OSError("no space left")

    monkeypatch.setattr(Journal, "create", no_space)
    with pytest.raises(BadInput, match="no space left"):
        open_and_run(train)
    [run] = runs(client, tmp_path)
    assert run.info.status == "FAILED"
    assert "no space left" in run.data.tags[names.TAG_ERROR]
