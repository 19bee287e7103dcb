"""A run says the truth about its work, whatever becomes of it; on a real sqlite store."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from fmnist import names
from fmnist.errors import BadInput
from fmnist.options import Train
from fmnist.tracking.run import open_run
from fmnist.tracking.store import open_store


def only_run(client: MlflowClient) -> mlflow.entities.Run:
    [run] = client.search_runs(["0"])
    return run


def test_good_work_ends_finished(client: MlflowClient) -> None:
    with open_run("train", Train(epochs=3), {"fmnist.model": "lenet5"}) as run:
        run.log_epoch(1, {names.VAL_LOSS: 0.5})
        run.log_epoch(2, {names.VAL_LOSS: 0.25})
        run.log_files({"tables/a.csv": b"1\n", "b.txt": b"2"})
    stored = only_run(client)
    assert stored.info.status == "FINISHED"
    assert stored.data.params["epochs"] == "3"
    assert stored.data.tags["fmnist.kind"] == "train"
    assert stored.data.tags["fmnist.model"] == "lenet5"
    history = client.get_metric_history(stored.info.run_id, names.VAL_LOSS)
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.5), (2, 0.25)]
    assert Path(client.download_artifacts(stored.info.run_id, "tables/a.csv")).read_text() == "1\n"


@pytest.mark.faults
def test_an_error_ends_it_failed_with_the_reason(client: MlflowClient) -> None:
    with pytest.raises(ValueError, match="no cloth"), open_run("train", Train(), {}):
        raise ValueError("no cloth")
    stored = only_run(client)
    assert stored.info.status == "FAILED"
    assert stored.data.tags[names.TAG_ERROR] == "ValueError: no cloth"
    told = Path(client.download_artifacts(stored.info.run_id, names.ERROR_TEXT)).read_text()
    assert "Traceback" in told
    assert "raise ValueError" in told


def test_the_run_of_the_environment_is_used(client: MlflowClient, monkeypatch) -> None:
    """As `mlflow run` leaves it: every option logged, as the shell will see it."""
    mine = client.create_run("0").info.run_id
    for name, text in Train(data_dir="two words", learning_rate=0.001).as_text().items():
        client.log_param(mine, name, f"'{text}'" if " " in text else text.replace("0.001", "1e-3"))
    monkeypatch.setenv("MLFLOW_RUN_ID", mine)
    with open_run("train", Train(data_dir="two words"), {}) as run:
        assert run.run_id == mine
    assert only_run(client).info.status == "FINISHED"


def test_what_a_resumed_run_has_already_is_not_logged_again(
    client: MlflowClient, monkeypatch
) -> None:
    """Here it is the run of the environment too, as when a container is started again."""
    with open_run("train", Train(), {}) as run:
        run.log_epoch(1, {names.TRAIN_LOSS: 0.5})
        run.log_summary({names.TEST_ACCURACY: 0.75})
    monkeypatch.setenv("MLFLOW_RUN_ID", run.run_id)
    with open_run("train", Train(), {}, run.run_id) as again:
        for epoch in (1, 2):
            again.log_epoch(epoch, {names.TRAIN_LOSS: 0.5 / epoch})
        again.log_summary({names.TEST_ACCURACY: 0.75, names.TEST_LOSS: 1.0})
    stored = only_run(client)
    assert stored.info.status == "FINISHED"
    assert names.TAG_CONTINUED_IN not in stored.data.tags
    for name, wanted in {
        names.TRAIN_LOSS: [(1, 0.5), (2, 0.25)],
        names.TEST_ACCURACY: [(0, 0.75)],
        names.TEST_LOSS: [(0, 1.0)],
    }.items():
        history = client.get_metric_history(run.run_id, name)
        assert [(metric.step, metric.value) for metric in history] == wanted


def test_a_parameter_that_means_something_else_is_our_error(
    client: MlflowClient, monkeypatch
) -> None:
    mine = client.create_run("0").info.run_id
    client.log_param(mine, "epochs", "3")
    monkeypatch.setenv("MLFLOW_RUN_ID", mine)
    with pytest.raises(RuntimeError, match="other parameters"), open_run("train", Train(), {}):
        raise AssertionError("the work must not begin")
    assert only_run(client).info.status == "FAILED"


@pytest.fixture
def refusing_server(monkeypatch):
    """An address where every request is refused with the status that the test sets."""

    class Refuse(BaseHTTPRequestHandler):
        status = 401

        def do_GET(self) -> None:
            self.send_error(self.status)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    uri = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "lovelace")
    mlflow.set_tracking_uri(uri)
    yield Refuse
    server.shutdown()
    server.server_close()


@pytest.mark.faults
@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_refuses_the_user(refusing_server, status: int) -> None:
    refusing_server.status = status
    with pytest.raises(BadInput, match=rf"127\.0\.0\.1:\d+ refused ada \(HTTP {status}\)") as told:
        open_store()
    assert "lovelace" not in str(told.value)
