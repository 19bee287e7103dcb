"""A model in the registry of a server: promoted, downloaded, loaded elsewhere and served."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from fmnist import names
from fmnist.data import idx
from fmnist.serving.photo import encode_png
from tests.helpers.servers import free_port, run_server
from tests.helpers.workspace import PROJECT, Workspace, read_table

pytestmark = pytest.mark.slow

# A program that has MLflow and TensorFlow, but not this package.
OTHER_PROGRAM = """
import sys
import mlflow, numpy
address, model, images, labels = sys.argv[1:]
mlflow.set_tracking_uri(address)
assert not any("fmnist" in name for name in sys.modules)
probabilities = mlflow.pyfunc.load_model(model).predict(numpy.load(images))
print("accuracy", float((probabilities.argmax(axis=1) == numpy.load(labels)).mean()))
"""


def test_model_is_promoted_downloaded_and_served(
    workspace: Workspace, server: str, call: Callable, tensorflow: None, monkeypatch
) -> None:
    workspace.environment["MLFLOW_TRACKING_URI"] = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    call("train", epochs=1, register_as="served")
    [run] = workspace.runs()
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")

    options = {"register_as": "served", "cache_dir": workspace.folder}
    printed = call("promote", 4, **options, min_val_accuracy=0.99)
    assert "validation accuracy: expected at least 0.9900, got 0." in printed.err
    call("promote", **options)
    [promoted, rejected] = workspace.runs("promote")
    assert (promoted.info.status, rejected.info.status) == ("FINISHED", "FINISHED")
    version = workspace.client.get_model_version_by_alias("served", "champion")
    assert (version.run_id, int(version.version)) == (run.info.run_id, 1)

    # As in the documentation: download the model, and serve it.
    mlflow_command = workspace.project("train")[:3]
    download = ["artifacts", "download", "-u", "models:/served@champion", "-d", "model"]
    workspace.execute([*mlflow_command, *download])
    example = workspace.folder / "model" / "serving_input_example.json"
    table = read_table(workspace.artifacts(run), names.PREDICTIONS_TEST)
    expected = table[[f"p{c}" for c in range(10)]].to_numpy()
    images = idx.read_images(workspace.data_dir / f"{idx.TEST_IMAGES}.gz")
    np.save(workspace.folder / "images.npy", images)
    np.save(workspace.folder / "labels.npy", table["label"].to_numpy())
    arguments = [server, "models:/served@champion", "images.npy", "labels.npy"]
    done = workspace.execute([sys.executable, "-I", "-c", OTHER_PROGRAM, *arguments])
    assert f"accuracy {run.data.metrics[names.TEST_ACCURACY]}\n" in done.stdout, done.stderr

    serve = [*mlflow_command, "models", "serve", "-m", "models:/served@champion"]
    options = ["--env-manager", "local", "--host", "127.0.0.1", "--port"]
    with serving([*serve, *options], workspace) as address:
        check_predictions(address, images, expected)
        predictions = json.loads(post(address, example.read_bytes()))["predictions"]
        np.testing.assert_allclose(predictions, expected[:2], atol=1e-6)
        with pytest.raises(urllib.error.HTTPError, match="400"):
            post(address, b'{"instances": [[1, 2, 3]]}')

    # `serve` predicts the same and rejects invalid requests.
    serve = [sys.executable, "-m", "fmnist", "serve", "models:/served@champion"]
    with serving([*serve, "--max_megabytes", "1", "--port"], workspace) as address:
        check_predictions(address, images, expected)
        for status, body, headers in (
            (400, body_of(images[:2, :27]), {}),
            (400, body_of(images[:2] / 255), {}),
            (400, b"", {}),
            (400, b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}),
            (403, body_of(images[:2]), {"Host": "10.evil.example"}),
            (413, b" " * 3_000_000, {}),
        ):
            with pytest.raises(urllib.error.HTTPError, match=str(status)):
                post(address, body, headers)
        check_predictions(address, images, expected)

    (workspace.folder / "image.png").write_bytes(encode_png(images[0]))
    predict = [sys.executable, "-m", "fmnist", "predict", "models:/served@champion", "image.png"]
    done = workspace.execute(predict)
    assert done.stdout.startswith("image.png: ")
    assert done.stderr == ""  # no messages of TensorFlow

    serve[-1] = "models:/served@nobody"
    assert "expected a model of this registry" in workspace.execute(serve, 2).stderr


@contextmanager
def serving(command: list[str], workspace: Workspace) -> Iterator[str]:
    """The address of a server; the command ends with its port."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {"MLFLOW_TRACKING_URI": workspace.store, "PYTHONPATH": str(PROJECT)}
    with run_server([*command, str(port)], workspace.folder, f"{address}/ping", environment):
        yield address


def check_predictions(address: str, images: np.ndarray, expected: np.ndarray) -> None:
    """The server predicts a batch of 256 images as the model did in memory."""
    response = json.loads(post(address, body_of(np.resize(images, (256, 28, 28)))))
    np.testing.assert_allclose(response["predictions"], np.resize(expected, (256, 10)), atol=1e-6)


def body_of(images: np.ndarray) -> bytes:
    return json.dumps({"inputs": images.tolist()}).encode()


def post(address: str, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    request = urllib.request.Request(
        f"{address}/invocations", body, {"Content-Type": "application/json"} | (headers or {})
    )
    with urllib.request.urlopen(request, timeout=300) as response:
        content: bytes = response.read()
        return content
