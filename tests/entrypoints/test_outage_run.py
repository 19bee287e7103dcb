"""Commands during an outage of the tracking server: nothing is lost or logged twice."""

import sys
import time
from collections import Counter

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from fmnist import names
from fmnist.data import idx
from tests.helpers.proxy import proxied
from tests.helpers.servers import free_port, tracking_server
from tests.helpers.workspace import Workspace, read_artifacts, read_table

pytestmark = [pytest.mark.faults, pytest.mark.slow]

EPOCHS = 5


def assert_complete(client: MlflowClient, workspace: Workspace) -> Run:
    """The only run has every metric once, one model that predicts as logged, and one version."""
    [run] = client.search_runs(["0"])
    run_id = run.info.run_id
    assert run.info.status == "FINISHED"
    for name in (names.TRAIN_LOSS, names.VAL_LOSS, names.EPOCH_SECONDS):
        steps = [metric.step for metric in client.get_metric_history(run_id, name)]
        assert steps == list(range(1, EPOCHS + 1))
    for name in (names.TEST_ACCURACY, names.MODEL_BYTES):
        assert len(client.get_metric_history(run_id, name)) == 1
    [output] = run.outputs.model_outputs
    [model] = client.search_logged_models([run.info.experiment_id])
    assert (model.model_id, model.status) == (output.model_id, "READY")
    counts = Counter(metric.key for metric in model.metrics)
    assert counts[names.TEST_ACCURACY] == counts[names.VAL_LOSS] == 1
    [version] = client.search_model_versions("name='small'")
    assert (version.run_id, version.source) == (run_id, f"models:/{model.model_id}")

    mlflow.set_tracking_uri(client.tracking_uri)
    images = idx.read_images(workspace.data_dir / f"{idx.TEST_IMAGES}.gz")
    probabilities = mlflow.pyfunc.load_model("models:/small/1").predict(images)
    table = read_table(read_artifacts(client, run), names.PREDICTIONS_TEST)
    expected = table[[f"p{c}" for c in range(10)]]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    return run


def test_server_is_killed_and_restarted(
    workspace: Workspace, tmp_path_factory, tensorflow: None
) -> None:
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    options = {"epochs": EPOCHS, "register_as": "small"}
    with tracking_server(folder, port) as address:
        workspace.environment = {"MLFLOW_TRACKING_URI": address, names.FLUSH_TIMEOUT: "300"}
        command = workspace.script("train", **options)
        process = workspace.paused_after("epoch 2/").start(command)
        workspace.wait_for_output(process, "epoch 2/")
    workspace.release()
    workspace.wait_for_output(process, f"epoch {EPOCHS}/")
    with tracking_server(folder, port):
        printed = workspace.wait(process)
        assert_complete(workspace.client, workspace)
    assert printed.count("is unavailable") == printed.count("is available again") == 1
    assert list(workspace.journals.iterdir()) == []


def test_server_is_back_after_the_end(workspace: Workspace, server: str, tensorflow: None) -> None:
    """Some responses are lost, too, and `sync` is killed twice."""
    client = MlflowClient(server, server)
    with proxied(server) as proxy:
        proxy.lose_first("runs/create")
        workspace.environment = {"MLFLOW_TRACKING_URI": proxy.address, names.FLUSH_TIMEOUT: "1"}
        options = {"epochs": EPOCHS, "register_as": "small"}
        training = workspace.script("train", **options)
        process = workspace.paused_after("epoch 2/").start(training)
        workspace.wait_for_output(process, "epoch 2/")
        proxy.fail()
        workspace.release()
        last = workspace.wait(process, 5).rstrip().splitlines()[-1]
        end_of_training = 1000 * time.time()
        assert f"python -m fmnist sync {workspace.journals}" in last
        [run] = client.search_runs(["0"])
        assert run.info.status == "RUNNING"

        command = [sys.executable, "-m", "fmnist", "sync"]
        workspace.execute(command, 5)
        # Kill it while it uploads the model, then while it creates the model version.
        for lost, hold in (
            ("mlflow/logged-models", "/MLmodel"),
            ("registered-models/create", "model-versions/create"),
        ):
            proxy.lose_first(lost, hold=hold)
            process = workspace.start(command)
            while not proxy.waiting(hold):
                assert process.poll() is None, workspace.output.read_text()
                time.sleep(0.05)
            process.kill()
            process.wait()
            proxy.gate.set()  # the server completes the request
            assert proxy.count(lost, "lose") == 1
        proxy.lose_first()
        assert "status FINISHED" in workspace.execute(command).stdout
        assert "nothing to do" in workspace.execute(command).stdout
    run = assert_complete(client, workspace)
    assert run.info.end_time <= end_of_training


def test_folds_through_an_outage(workspace: Workspace, server: str) -> None:
    client = MlflowClient(server, server)
    with proxied(server) as proxy:
        workspace.environment = {"MLFLOW_TRACKING_URI": proxy.address, names.FLUSH_TIMEOUT: "1"}
        workspace.environment["XDG_CACHE_HOME"] = str(workspace.folder)
        options = {"epochs": 1, "folds": 2, "workers": 1, "validation_fraction": 0.3}
        command = workspace.script("crossval", **options)
        process = workspace.paused_after("(1 of 2").start(command)
        workspace.wait_for_output(process, "(1 of 2")
        proxy.fail()
        workspace.release()
        workspace.wait(process, 5)
        proxy.lose_first("runs/create")
        # The same command first uploads the rest of the run, then finds it finished.
        done = workspace.execute(workspace.script("crossval", **options, if_done="skip"))
    assert "has the same configuration" in done.stdout
    runs = client.search_runs(["0"])
    assert Counter(run.data.tags[names.TAG_KIND] for run in runs) == {"crossval": 1, "fold": 2}
    assert {run.info.status for run in runs} == {"FINISHED"}
    [parent] = [run for run in runs if run.data.tags[names.TAG_KIND] == "crossval"]
    assert parent.data.metrics[names.CV_FOLDS] == 2
    for run in runs:
        listed = {file.path for file in client.list_artifacts(run.info.run_id, "predictions")}
        assert len(listed) == (1 if run is parent else 2)
