"""What a run of `train` with a frozen backbone contains, and the options it rejects."""

import io
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from fmnist import names
from fmnist.data.dataset import FashionMNIST
from tests.helpers.workspace import Workspace


def test_run_of_a_frozen_backbone(
    workspace: Workspace, call: Callable, data: FashionMNIST, tensorflow: None
) -> None:
    done = call(
        "train",
        model="mobilenetv2",
        weights="none",
        feature_layers="multi",
        epochs=2,
        cache_dir=workspace.folder / "cache",
    )
    assert done.code == 0, done.stderr
    [run] = workspace.runs()
    assert run.info.status == "FINISHED"
    tags, metrics = run.data.tags, run.data.metrics
    assert tags[names.TAG_MODEL] == "mobilenetv2"
    assert tags[names.TAG_WEIGHTS] == "none"
    assert len(tags[names.TAG_WEIGHTS_DIGEST]) == 32
    assert tags[names.TAG_FEATURE_CACHE] == "miss"
    assert metrics[names.FEATURE_SECONDS] > 0
    assert metrics[names.PARAMETERS_TOTAL] == 2_257_984 + 373_514
    assert metrics[names.PARAMETERS_TRAINABLE] == 373_514

    # The logged model contains the backbone and the preprocessing.
    [logged] = workspace.client.search_logged_models(["0"])
    mlflow.set_tracking_uri(workspace.store)
    probabilities = mlflow.pyfunc.load_model(logged.model_uri).predict(data.test.images)
    table = pd.read_parquet(io.BytesIO(workspace.artifacts(run)[names.PREDICTIONS_TEST]))
    expected = table[[f"p{label}" for label in range(10)]]
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "vgg16", "input_size": 16}, "input_size=16: input should be greater"),
        ({"model": "vgg17"}, "vgg17: input should be 'lenet5'"),
        ({"model": "vgg16", "weights": "TEXT"}, "text.h5"),
        ({"model": "resnet50", "weights": "hed-bsds500"}, "weights=hed-bsds500"),
        ({"weights": "none"}, "weights=none is an option of backbones"),
        ({"model": "vgg16", "weights": "none", "cache_dir": "TEXT"}, "text.h5"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_invalid_options_are_rejected_before_a_run_is_created(
    call: Callable, options: dict[str, str], message: str
) -> None:
    text = Path("text.h5").absolute()
    text.write_text("neither weights nor a folder")
    options = {k: str(text) if v == "TEXT" else v for k, v in options.items()}
    done = call("train", **options)
    assert done.code == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    # The weights of a file are read while the store is opened.
    assert not Path("mlflow.db").exists() or Workspace(Path.cwd(), Path.cwd()).runs() == []
