"""Data other than Fashion-MNIST through train, crossval, compare, promote and serve."""

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from tests.helpers.workspace import Workspace, read_table

pytestmark = pytest.mark.slow

# Numbers of training and test images of each class.
DATASETS = {
    # Imbalanced, and no test image shows the last class.
    "26 classes": ([60, 30, 20, *[10] * 23], [20, 10, *[4] * 23, 0]),
    "two classes": ([60, 60], [30, 30]),
}


@pytest.mark.parametrize("dataset", DATASETS)
def test_other_data_from_training_to_serving(
    workspace: Workspace, call: Callable, tensorflow: None, dataset: str
) -> None:
    folder = workspace.folder / "data"
    folder.mkdir()
    train_counts, test_counts = DATASETS[dataset]
    classes = len(train_counts)
    write_data(folder, *(np.repeat(np.arange(classes), n) for n in DATASETS[dataset]))
    class_names = [str(label) for label in range(classes)]
    if dataset == "26 classes":
        class_names = list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        (folder / "class_names.txt").write_text("\n".join(class_names) + "\n\n")

    places = {"data_dir": folder, "cache_dir": workspace.folder}
    options = places | {"epochs": 1, "batch_size": 32, "validation_fraction": 0.2}
    call("train", **options, register_as="other", class_weight="balanced")
    call("train", **options, label_smoothing=0.1, mixup=0.2)
    call("crossval", **options, folds=2, workers=1)
    call("compare", **places)
    call("promote", register_as="other", cache_dir=workspace.folder)

    _, run = workspace.runs("train")
    files = workspace.artifacts(run)
    table = read_table(files, names.PREDICTIONS_TEST)
    assert list(table.columns[3:]) == [f"p{label}" for label in range(classes)]
    recalls = (table["label"] == table["predicted"]).groupby(table["label"]).mean()
    assert run.data.metrics[names.TEST_BALANCED_ACCURACY] == pytest.approx(recalls.mean())
    per_class = pd.read_csv(io.BytesIO(files[names.TABLE_PER_CLASS]), dtype={"class": str})
    assert per_class["class"].tolist() == class_names
    assert per_class["f1"].isna().tolist() == [n == 0 for n in test_counts]

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
