"""A run of a frozen backbone is as complete as any, and its usage errors come before the work."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from fmnist import names
from fmnist.data import dataset
from tests.helpers.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small_data_dir: Path) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("transfer"), small_data_dir)
    command = workspace.script("train", **OPTIONS, cache_dir=workspace.folder / "cache")
    done = workspace.execute(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mobilenetv2 features: 600/600 images" in done.stdout
    return workspace


OPTIONS = {
    "model": "mobilenetv2",
    "weights": "none",
    "feature_layers": "multi",
    "epochs": 2,
}


def test_the_run_says_where_weights_and_features_came_from(trained: Workspace) -> None:
    [run] = trained.runs()
    assert run.info.status == "FINISHED"
    tags = {k: v for k, v in run.data.tags.items() if k.startswith("fmnist.")}
    assert tags[names.TAG_MODEL] == "mobilenetv2"
    assert tags[names.TAG_WEIGHTS] == "none"
    assert len(tags[names.TAG_WEIGHTS_DIGEST]) == 32
    assert tags[names.TAG_FEATURE_CACHE] == "miss"
    assert run.data.metrics[names.FEATURE_SECONDS] > 0
    assert run.data.metrics[names.PARAMETERS_TOTAL] == 2_257_984 + 373_514
    assert run.data.metrics[names.PARAMETERS_TRAINABLE] == 373_514


def test_the_logged_model_is_whole(
    trained: Workspace, small_data_dir: Path, tensorflow: None
) -> None:
    """From the files' pixels to the probabilities that the run logged."""
    [run] = trained.runs()
    mlflow.set_tracking_uri(trained.store)
    [logged] = mlflow.search_logged_models(
        filter_string=f"source_run_id = '{run.info.run_id}'", output_format="list"
    )
    images = dataset.load(str(small_data_dir), "auto").test.images
    answers = mlflow.pyfunc.load_model(logged.model_uri).predict(images)
    path = trained.client.download_artifacts(run.info.run_id, names.PREDICTIONS_TEST)
    predictions = pd.read_parquet(path)[[f"p{label}" for label in range(10)]].to_numpy()
    assert np.abs(answers - predictions).max() <= 1e-4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "vgg16", "input_size": 16}, "input_size=16: vgg16 takes images of at least 32"),
        ({"model": "vgg17"}, "invalid choice 'vgg17'"),
        ({"model": "vgg16", "weights": "TEXT"}, "got one that cannot be read"),
        ({"model": "resnet50", "weights": "hed-bsds500"}, "weights=hed-bsds500 are VGG16's"),
        ({"weights": "none"}, "weights=none is an option of backbones, not of model=lenet5"),
        ({"model": "vgg16", "weights": "none", "cache_dir": "TEXT"}, "a folder to keep features"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_usage_ends_with_2_and_no_run(
    options: dict, words: str, tmp_path: Path, small_data_dir: Path
) -> None:
    text = tmp_path / "text.h5"
    text.write_text("neither weights nor a folder")
    workspace = Workspace(tmp_path, small_data_dir)
    options = {k: str(text) if v == "TEXT" else v for k, v in options.items()}
    done = workspace.execute(workspace.script("train", **options))
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "mlflow.db").exists()
