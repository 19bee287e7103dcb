"""From a tracking server's registry to whoever wants answers: promoted, downloaded, served."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from fmnist import names
from fmnist.data import idx
from tests.helpers.servers import free_port, run_server
from tests.helpers.workspace import PROJECT, Workspace

pytestmark = pytest.mark.slow

# A program of somebody who has MLflow and TensorFlow, and neither this project nor its store.
STRANGER = """
import sys
import mlflow, numpy
address, model, images, labels = sys.argv[1:]
mlflow.set_tracking_uri(address)
assert not any("fmnist" in name for name in sys.modules)
answers = mlflow.pyfunc.load_model(model).predict(numpy.load(images))
print("accuracy", float((answers.argmax(axis=1) == numpy.load(labels)).mean()))
"""


def test_a_model_goes_from_the_server_to_strangers(workspace: Workspace, server: str) -> None:
    workspace.environment["MLFLOW_TRACKING_URI"] = server
    done = workspace.execute(workspace.script("train", epochs=1, register_as="served"))
    assert done.returncode == 0, done.stderr
    [run] = workspace.runs()
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")

    options = {"register_as": "served", "cache_dir": workspace.folder}
    done = workspace.execute(workspace.script("promote", **options, min_val_accuracy=0.99))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "validation accuracy: expected at least 0.9900, got 0." in done.stderr
    done = workspace.execute(workspace.project("promote", **options))
    assert done.returncode == 0, done.stdout + done.stderr
    [promoted, refused] = [r for r in workspace.runs() if r.data.tags[names.TAG_KIND] == "promote"]
    assert (promoted.info.status, refused.info.status) == ("FINISHED", "FINISHED")
    version = workspace.client.get_model_version_by_alias("served", "champion")
    assert (version.run_id, int(version.version)) == (run.info.run_id, 1)

    # What the README shows: download, predict from the request file inside, serve.
    mlflow_command = workspace.project("train")[:3]
    source = ["-m", "models:/served@champion", "--env-manager", "local"]
    download = ["artifacts", "download", "-u", "models:/served@champion", "-d", "model"]
    assert workspace.execute([*mlflow_command, *download]).returncode == 0
    asked = workspace.folder / "model" / "serving_input_example.json"
    predict = ["models", "predict", *source, "-i", str(asked), "-t", "json", "-o", "answer.json"]
    done = workspace.execute([*mlflow_command, *predict])
    assert done.returncode == 0, done.stderr
    answers = np.array(json.loads((workspace.folder / "answer.json").read_text())["predictions"])
    stored = pd.read_parquet(
        workspace.client.download_artifacts(run.info.run_id, names.PREDICTIONS_TEST)
    )
    wanted = stored[[f"p{c}" for c in range(10)]].to_numpy()
    np.testing.assert_allclose(answers, wanted[:2], atol=1e-6)

    images = idx.read_images(workspace.data_dir / f"{idx.TEST_IMAGES}.gz")
    np.save(workspace.folder / "images.npy", images)
    np.save(workspace.folder / "labels.npy", stored["label"].to_numpy())
    arguments = [server, "models:/served@champion", "images.npy", "labels.npy"]
    done = workspace.execute([sys.executable, "-I", "-c", STRANGER, *arguments])
    assert f"accuracy {run.data.metrics[names.TEST_ACCURACY]}\n" in done.stdout, done.stderr

    command = [*mlflow_command, "models", "serve", *source, "--host", "127.0.0.1", "--port"]
    with served(command, workspace) as address:
        check_answers(address, images, wanted)
        answers = json.loads(ask(address, asked.read_bytes()))["predictions"]
        np.testing.assert_allclose(answers, wanted[:2], atol=1e-6)
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask(address, b'{"instances": [[1, 2, 3]]}')

    # Behind the gate it answers the same, says what is wrong with other requests, and lives.
    gate = [sys.executable, "-m", "fmnist", "serve", "models:/served@champion"]
    with served([*gate, "--max_megabytes", "1", "--port"], workspace) as address:
        check_answers(address, images, wanted)
        for status, body, headers in (
            (400, request(images[:2, :27]), {}),
            (400, request(images[:2] / 255), {}),
            (400, b"", {}),
            (400, b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}),
            (403, request(images[:2]), {"Host": "10.evil.example"}),
            (413, b" " * 3_000_000, {}),
        ):
            with pytest.raises(urllib.error.HTTPError, match=str(status)):
                ask(address, body, headers)
        check_answers(address, images, wanted)

    gate[-1] = "models:/served@nobody"
    done = workspace.execute(gate)
    assert (done.returncode, "expected a model of this registry" in done.stderr) == (2, True)


@contextmanager
def served(command: list[str], workspace: Workspace) -> Iterator[str]:
    """The address of the server that the command starts on the port that comes last."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {"MLFLOW_TRACKING_URI": workspace.store, "PYTHONPATH": str(PROJECT)}
    with run_server([*command, str(port)], workspace.folder, f"{address}/ping", environment):
        yield address


def check_answers(address: str, images: np.ndarray, wanted: np.ndarray) -> None:
    """A batch of 256 is answered as the model did in memory."""
    answers = json.loads(ask(address, request(np.resize(images, (256, 28, 28)))))["predictions"]
    np.testing.assert_allclose(answers, np.resize(wanted, (256, 10)), atol=1e-6)


def request(images: np.ndarray) -> bytes:
    return json.dumps({"inputs": images.tolist()}).encode()


def ask(address: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    asked = urllib.request.Request(
        f"{address}/invocations", body, {"Content-Type": "application/json"} | (headers or {})
    )
    with urllib.request.urlopen(asked, timeout=60) as reply:
        answer: bytes = reply.read()
        return answer
