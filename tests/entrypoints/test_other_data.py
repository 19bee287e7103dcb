"""Data other than Fashion-MNIST through train, crossval, compare, promote and serve."""

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
import uvicorn

from fmnist import names
from fmnist.serving.app import create_app
from fmnist.serving.photo import encode_png
from tests.helpers.data import write_data
from tests.helpers.servers import free_port
from tests.helpers.stores import create_store
from tests.helpers.workspace import Workspace

pytestmark = pytest.mark.slow

# Numbers of training and test images of each class.
DATASETS = {
    "26 classes": ([12] * 26, [4] * 26),
    "two classes": ([60, 60], [30, 30]),
    # No test image shows the last class.
    "imbalanced": ([240, 60, 20, 10], [80, 20, 8, 0]),
}


@pytest.mark.parametrize("dataset", DATASETS)
def test_other_data_from_training_to_serving(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[..., Any],
    tensorflow: None,
    dataset: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", create_store(tmp_path / "mlflow.db"))
    folder = tmp_path / "data"
    folder.mkdir()
    labels = [np.repeat(np.arange(len(counts)), counts) for counts in DATASETS[dataset]]
    write_data(folder, *labels)
    classes = len(DATASETS[dataset][0])
    if dataset == "26 classes":
        (folder / "class_names.txt").write_text("\n".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ") + "\n\n")
    class_names = [chr(65 + n) if classes == 26 else str(n) for n in range(classes)]

    options = {
        "data_dir": folder, "cache_dir": tmp_path, "epochs": 1, "batch_size": 32,
        "validation_fraction": 0.2,
    }  # fmt: skip
    name = {"register_as": "other"}
    for command in (
        ("train", options | name | {"class_weight": "balanced"}),
        ("train", options | {"label_smoothing": 0.1, "mixup": 0.2}),
        ("crossval", options | {"folds": 2, "workers": 1}),
        ("compare", {"data_dir": folder, "cache_dir": tmp_path}),
        ("promote", name | {"cache_dir": tmp_path}),
    ):
        done = call(command[0], **command[1])
        assert done.code == 0, done.stderr

    workspace = Workspace(tmp_path, folder)
    _, run = workspace.runs("train")
    files = workspace.artifacts(run)
    table = pd.read_parquet(io.BytesIO(files[names.PREDICTIONS_TEST]))
    assert list(table.columns[3:]) == [f"p{label}" for label in range(classes)]
    recalls = (table["label"] == table["predicted"]).groupby(table["label"]).mean()
    assert run.data.metrics[names.TEST_BALANCED_ACCURACY] == pytest.approx(recalls.mean())
    per_class = pd.read_csv(io.BytesIO(files[names.TABLE_PER_CLASS]), dtype={"class": str})
    assert per_class["class"].tolist() == class_names
    assert per_class["f1"].isna().tolist() == [n == 0 for n in DATASETS[dataset][1]]

    [comparison] = workspace.runs("compare")
    pages = workspace.artifacts(comparison)
    assert json.loads(pages[names.TABLE_COMPARISON_JSON])["class_names"] == class_names
    [promotion] = workspace.runs("promote")
    card = workspace.artifacts(promotion)[names.MODEL_CARD].decode()
    shown = pages[names.COMPARISON_PAGE].decode() + card + run.data.tags[names.TAG_NOTE]
    assert "Shirt" not in shown
    assert "Fashion-MNIST" not in shown

    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    photo = base64.b64encode(encode_png(pixels)).decode()
    with serve(create_app("models:/other@champion", ["127.0.0.1"], 1_000_000)) as address:
        [answer] = post(f"{address}/predict", {"images": [photo]})
        scores = post(f"{address}/invocations", {"inputs": [pixels.tolist()]})["predictions"]
    assert list(answer["probabilities"]) == class_names
    assert scores == [pytest.approx(list(answer["probabilities"].values()), abs=1e-6)]
    assert answer["distance"] > 0  # the model has statistics of its training images


@contextmanager
def serve(app: Any) -> Iterator[str]:
    """The address of an application that a thread of this process serves."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def post(address: str, body: dict[str, Any]) -> Any:
    reply = requests.post(address, json=body, timeout=300)
    assert reply.status_code == 200, reply.text
    return reply.json()
