"""What a run logs and with which status it ends, in a real sqlite store."""

import base64
import json
import os
import threading
import zlib
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.errors import BadInput
from fmnist.options import Train
from fmnist.tracking.address import database_path
from fmnist.tracking.client import get_or_create
from fmnist.tracking.nested import NestedRun, finished_children, log_nested_run
from fmnist.tracking.offline.delivery import Delivery
from fmnist.tracking.preflight import open_store_in_background
from fmnist.tracking.run import open_run
from fmnist.tracking.start import end_launched_run, unquote
from fmnist.tracking.store import _copy_empty_store, _keep_empty_store, _open, open_store
from fmnist.tracking.ui import PREFIX, VIEWS
from tests.helpers.servers import answering

LAUNCHED = {"mlflow.project.entryPoint": "train"}


def only_run(client: MlflowClient) -> mlflow.entities.Run:
    [run] = client.search_runs(["0"])
    return run


def test_successful_run_is_finished(client: MlflowClient) -> None:
    with open_run("train", Train(epochs=3), {"fmnist.model": "lenet5"}) as run:
        run.log_epoch(1, {names.VAL_LOSS: 0.5})
        run.log_epoch(2, {names.VAL_LOSS: 0.25})
        run.log_summary({"a": float(np.float32(0.825)), "b": 123_456_789, "c": float("nan")})
        run.log_files({"tables/a.csv": b"1\n", "b.txt": b"2"})
    stored = only_run(client)
    metrics = stored.data.metrics
    assert (metrics["a"], metrics["b"]) == (0.825, 123_456_789)  # in single precision
    assert np.isnan(metrics["c"])
    assert stored.info.status == "FINISHED"
    assert stored.data.params["epochs"] == "3"
    assert not {names.TAG_RECORD, names.TAG_PROCESS} & stored.data.tags.keys()
    assert stored.data.tags["fmnist.kind"] == "train"
    assert stored.data.tags["fmnist.model"] == "lenet5"
    history = client.get_metric_history(stored.info.run_id, names.VAL_LOSS)
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.5), (2, 0.25)]
    assert Path(client.download_artifacts(stored.info.run_id, "tables/a.csv")).read_text() == "1\n"


def test_images_are_logged_once_when_the_delivery_is_repeated(
    client: MlflowClient, tmp_path: Path, monkeypatch
) -> None:
    log_image, calls = MlflowClient.log_image, []

    def fail_once(self: MlflowClient, *args: object, **fields: object) -> None:
        calls.append(fields["step"])
        if len(calls) == 2:
            raise OSError("connection lost")
        log_image(self, *args, **fields)

    monkeypatch.setattr(MlflowClient, "log_image", fail_once)
    for step in (1, 2, 3):
        np.save(tmp_path / f"{step}.npy", np.full((30, 20), 40 * step, np.uint8))
    run_id = client.create_run("0").info.run_id
    record = {"type": "images", "key": "mistakes", "time": 1000}
    with pytest.raises(OSError, match="connection lost"):
        Delivery(client, run_id).deliver(record, tmp_path)
    Delivery(client, run_id).deliver(record, tmp_path)
    stored = client.list_artifacts(run_id, "images")
    assert calls == [1, 2, 2, 3]
    full = sorted(file.path for file in stored if file.path.endswith(".png"))
    assert [path.split("+")[:3] for path in full] == [
        ["images/mistakes", "step", str(step)] for step in (1, 2, 3)
    ]
    assert len(stored) == 6  # MLflow adds a reduced copy of each


@pytest.mark.faults
def test_failed_run_has_the_reason_and_the_traceback(client: MlflowClient) -> None:
    with pytest.raises(ValueError, match="no cloth"), open_run("train", Train(), {}):
        raise ValueError("no cloth")
    stored = only_run(client)
    assert stored.info.status == "FAILED"
    assert stored.data.tags[names.TAG_ERROR] == "ValueError: no cloth"
    error_text = client.download_artifacts(stored.info.run_id, names.ERROR_TEXT)
    assert "raise ValueError" in Path(error_text).read_text()


def test_run_of_mlflow_run_is_used(client: MlflowClient, monkeypatch) -> None:
    """`mlflow run` logs the options that were given, quoted for the shell, and names the run."""
    run_id = client.create_run("0", tags=LAUNCHED).info.run_id
    for name, text in {"data_dir": "'two words'", "learning_rate": "3e-3"}.items():
        client.log_param(run_id, name, text)
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    options = Train(data_dir="two words", learning_rate=0.003, seed=1)
    with open_run("train", options, {}) as run:
        assert run.run_id == run_id
    stored = only_run(client)
    assert (stored.info.status, stored.info.run_name) == (
        "FINISHED", "lenet5 learning_rate=0.003 seed=1",
    )  # fmt: skip
    assert stored.data.params == options.parameters() | {
        "data_dir": "'two words'", "learning_rate": "3e-3",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("launched", "options", "expected"),
    [
        ("brave-fox-sunday", {}, "brave-fox-sunday"),
        ("baseline", {}, "baseline"),
        ("baseline", {"run_name": "other"}, "baseline"),
        ("", {"run_name": "other"}, "other"),
        ("", {}, "lenet5"),
    ],
)
def test_names_of_the_user_are_kept(
    client: MlflowClient, monkeypatch, launched: str, options: dict[str, str], expected: str
) -> None:
    run = client.create_run("0", tags=LAUNCHED, run_name=launched)
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    with open_run("train", Train(**options), {}):
        pass
    assert only_run(client).info.run_name == expected


def test_run_of_mlflow_run_that_is_not_opened_has_a_name_and_the_reason(
    client: MlflowClient,
) -> None:
    error = BadInput("no data with password=secret")
    launched, foreign = (client.create_run("0", tags=tags).info.run_id for tags in (LAUNCHED, {}))
    end_launched_run(launched, "FAILED", "lenet5 epochs=3", {names.TAG_NOTE: str(error)}, error)
    stored = client.get_run(launched)
    assert (stored.info.status, stored.info.run_name) == ("FAILED", "lenet5 epochs=3")
    assert stored.data.tags[names.TAG_ERROR] == "BadInput: no data with password=***"
    assert stored.data.tags[names.TAG_NOTE] == "no data with password=***"
    with pytest.raises(BadInput, match="not created by"):
        end_launched_run(foreign, "FAILED", "lenet5 epochs=3", {}, error)
    assert client.get_run(foreign).info.status == "RUNNING"


def test_experiment_has_saved_views(client: MlflowClient) -> None:
    """The format is not documented. With another version of MLflow, open both views in the UI."""
    assert mlflow.__version__ == "3.17.2"
    with open_run("train", Train(), {}):
        pass
    tags = client.get_experiment("0").tags
    for key, (metrics, _) in VIEWS.items():
        view = json.loads(tags[f"{PREFIX}{key}"])
        state = json.loads(zlib.decompress(base64.b64decode(view["state"].split(";")[1])))
        assert state["selectedColumns"] == [f"metrics.`{metric}`" for metric in metrics]


def test_parameters_lose_shell_quotes() -> None:
    assert unquote({"a": "''", "b": "'two words'", "c": "plain", "d": "it's"}) == {
        "a": "", "b": "two words", "c": "plain", "d": "it's",
    }  # fmt: skip


def test_parameter_with_another_value_is_an_error(client: MlflowClient, monkeypatch) -> None:
    run_id = client.create_run("0", tags=LAUNCHED).info.run_id
    client.log_param(run_id, "epochs", "3")
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    with pytest.raises(RuntimeError, match="other parameters"), open_run("train", Train(), {}):
        raise AssertionError("the work must not begin")
    assert only_run(client).info.status == "FAILED"


def test_resumed_run_logs_nothing_twice(client: MlflowClient, monkeypatch) -> None:
    """The resumed run is also that of the environment, as when a container is restarted."""
    with open_run("train", Train(), {}) as run:
        run.log_epoch(1, {names.TRAIN_LOSS: 0.5})
        run.log_summary({names.TEST_ACCURACY: 0.75})
    monkeypatch.setenv("MLFLOW_RUN_ID", run.run_id)
    with open_run("train", Train(), {}, run.run_id) as resumed:
        for epoch in (1, 2):
            resumed.log_epoch(epoch, {names.TRAIN_LOSS: 0.5 / epoch})
        resumed.log_summary({names.TEST_ACCURACY: 0.75, names.TEST_LOSS: 1.0})
    stored = only_run(client)
    assert stored.info.status == "FINISHED"
    assert names.TAG_CONTINUED_IN not in stored.data.tags
    for name, expected in {
        names.TRAIN_LOSS: [(1, 0.5), (2, 0.25)],
        names.TEST_ACCURACY: [(0, 0.75)],
        names.TEST_LOSS: [(0, 1.0)],
    }.items():
        history = client.get_metric_history(run.run_id, name)
        assert [(metric.step, metric.value) for metric in history] == expected


def test_nested_runs(client: MlflowClient, monkeypatch) -> None:
    """Results are stored with their own times; FINISHED ones are found in any experiment."""
    result = NestedRun(
        name="fold 1",
        params={"fold": "1"},
        tags={names.TAG_KIND: "fold"},
        started=1000.0,
        ended=1010.0,
        history=[(1005.0, {names.VAL_LOSS: 0.5}), (1010.0, {names.VAL_LOSS: 0.25})],
        metrics={names.FOLD_ACCURACY: 0.75},
        files={"a.txt": b"A"},
    )
    failed = NestedRun("fold 2", {}, {names.TAG_KIND: "fold"}, 1000.0, 1001.0, error="no memory")
    with open_run("crossval", Train(), {}) as run:
        log_nested_run(run, result)
        log_nested_run(run, failed)
        tags = {names.TAG_KIND: "fold", "mlflow.parentRunId": run.run_id}
        client.create_run("0", tags=tags, run_name="fold 3")  # its process was killed
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
        [(child, files)] = finished_children(run, "fold")
    assert (child.name, child.parameters, files) == ("fold 1", {"fold": "1"}, {"a.txt": b"A"})
    history = client.get_metric_history(child.run_id, names.VAL_LOSS)
    assert [(m.step, m.timestamp) for m in history] == [(1, 1_005_000), (2, 1_010_000)]
    assert child.metrics[names.FOLD_ACCURACY] == 0.75
    stored = {run.info.run_name: run for run in client.search_runs(["0"])}
    assert (stored["fold 1"].info.start_time, stored["fold 1"].info.end_time) == (10**6, 1_010_000)
    assert stored["fold 2"].info.status == "FAILED"
    assert stored["fold 2"].data.tags[names.TAG_ERROR] == "no memory"
    assert stored["fold 3"].info.status == "KILLED"


@pytest.mark.faults
def test_retries_do_not_change_the_environment(client: MlflowClient) -> None:
    """MLflow reads its settings from the environment of all threads."""
    open_store()
    before, during = dict(os.environ), []
    objects: list[str] = []

    def find() -> str | None:
        during.append(dict(os.environ))
        return objects[0] if objects else None

    def create() -> str:
        objects.append("created")
        raise MlflowException("the response is lost")

    assert get_or_create(find, create) == "created"
    assert during == [before, before]


@pytest.mark.faults
@pytest.mark.parametrize("status", [401, 403])
def test_server_that_denies_access(monkeypatch, status: int) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "lovelace")
    pattern = rf"127\.0\.0\.1:\d+ denies access to ada \(HTTP {status}\)"
    with answering(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status) as port:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        mlflow.set_tracking_uri(f"http://127.0.0.1:{port}")
        with pytest.raises(BadInput, match=pattern) as raised:
            open_store()
    assert "lovelace" not in str(raised.value)


def test_new_store_is_a_copy_without_the_address_of_the_first(
    client: MlflowClient, tmp_path: Path, monkeypatch
) -> None:
    client.search_experiments()
    template, new = tmp_path / "cache" / "template.db", tmp_path / "other" / "mlflow.db"
    _keep_empty_store(database_path(client.tracking_uri), template)
    new.parent.mkdir()
    assert _copy_empty_store(template, new)
    monkeypatch.chdir(new.parent)  # MLflow's default place of artifacts
    created = MlflowClient(f"sqlite:///{new}")
    [experiment] = created.search_experiments()
    assert (experiment.experiment_id, experiment.name) == ("0", "Default")
    assert experiment.artifact_location == str(new.parent / "mlruns" / "0")
    assert created.create_run("0").info.status == "RUNNING"


@pytest.mark.parametrize("content", [None, b"", b"damaged" * 1000])
def test_damaged_copy_of_a_store_is_not_used(tmp_path: Path, content: bytes | None) -> None:
    template, new = tmp_path / "template.db", tmp_path / "mlflow.db"
    if content is not None:
        template.write_bytes(content)
    assert not _copy_empty_store(template, new)
    assert not new.exists()


def test_store_opened_in_the_background_is_reused(client: MlflowClient) -> None:
    _open.cache_clear()
    open_store_in_background()
    for thread in threading.enumerate():
        if thread.name == "open store":
            thread.join()
    assert _open.cache_info().hits == 0
    open_store()
    assert _open.cache_info().hits == 1
