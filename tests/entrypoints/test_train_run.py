"""What a run of `train` contains."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run

from fmnist import names
from fmnist.data import idx
from fmnist.data.dataset import FashionMNIST
from fmnist.options import Train
from tests.helpers.project_runs import OPTIONS, ProjectRun, ProjectRuns
from tests.helpers.workspace import Workspace, accuracy, read_table, reproducible_metrics

EVERY_EPOCH = {
    names.TRAIN_LOSS, names.TRAIN_ACCURACY, names.VAL_LOSS, names.VAL_ACCURACY,
    names.LEARNING_RATE, names.EPOCH_SECONDS, names.IMAGES_PER_SECOND,
}  # fmt: skip
ONCE = {
    names.BEST_EPOCH, names.BEST_VAL_ACCURACY,
    names.TEST_LOSS, names.TEST_ACCURACY, names.TEST_BALANCED_ACCURACY, names.TEST_MACRO_F1,
    names.TEST_ECE, names.FIT_SECONDS, names.PREDICT_MS_PER_IMAGE, names.PARAMETERS_TOTAL,
    names.PARAMETERS_TRAINABLE, names.MODEL_BYTES,
}  # fmt: skip
ARTIFACTS = {
    names.FIGURE_ACCURACY, names.FIGURE_CONVERGENCE, names.FIGURE_CONFUSION, names.FIGURE_MISTAKES,
    names.TABLE_HISTORY, names.TABLE_PER_CLASS, names.PREDICTIONS_TEST,
    names.PREDICTIONS_VALIDATION, names.MODEL_SUMMARY, names.CONSOLE_TEXT,
}  # fmt: skip
PROBABILITIES = [f"p{label}" for label in range(10)]


@pytest.fixture(scope="module")
def train_run(project_runs: ProjectRuns) -> ProjectRun:
    return project_runs.get("train")


@pytest.fixture(scope="module")
def artifacts(train_run: ProjectRun) -> dict[str, bytes]:
    return train_run.artifacts()


def input_rows(run: Run) -> dict[str, int]:
    """The number of rows of each dataset input, by context."""
    return {
        each.tags[0].value: json.loads(each.dataset.profile)["num_rows"]
        for each in run.inputs.dataset_inputs
    }


def test_parameters_metrics_and_tags(train_run: ProjectRun) -> None:
    workspace, run, printed = train_run
    options = Train(**OPTIONS["train"])
    assert {k: run.data.params[k] for k in options.parameters()} == options.parameters()
    assert "cache_dir" not in run.data.params
    assert train_run.metrics.keys() == EVERY_EPOCH | ONCE
    for name in EVERY_EPOCH:
        history = workspace.client.get_metric_history(run.info.run_id, name)
        assert [metric.step for metric in history] == [1, 2, 3]
    assert run.data.tags[names.TAG_KIND] == "train"
    assert run.data.tags[names.TAG_MODEL] == "lenet5"
    assert f"{train_run.metrics[names.TEST_ACCURACY]:.4f}" in run.data.tags[names.TAG_NOTE]
    assert train_run.metrics[names.PARAMETERS_TOTAL] == 44_426
    assert "epoch 3/3" in printed
    ignored = (workspace.folder / "mlruns" / ".gitignore").read_text()
    assert ignored.splitlines()[-1] == "*"


def test_datasets_are_the_rows_in_use(train_run: ProjectRun, project_runs: ProjectRuns) -> None:
    assert input_rows(train_run.run) == {"training": 540, "validation": 60, "test": 200}
    source = json.loads(train_run.run.inputs.dataset_inputs[0].dataset.source)
    assert source["uri"] == str(train_run.workspace.data_dir)
    # A store keeps one dataset per name and digest; `eda` uses other training rows.
    assert input_rows(project_runs.get("eda").run)["training"] == 600


def test_artifacts_agree_with_the_metrics(
    train_run: ProjectRun, artifacts: dict[str, bytes]
) -> None:
    metrics, data_dir = train_run.metrics, train_run.workspace.data_dir
    images = [name for name in artifacts if name.startswith("images/")]
    assert artifacts.keys() - images == ARTIFACTS
    for name, content in artifacts.items():
        assert content[:4] == b"\x89PNG" or not name.endswith(".png")
    # The ten most confident mistakes, whose rank is the step.
    steps = sorted(int(name.split("+")[2]) for name in images if name.endswith(".png"))
    assert steps == list(range(1, 11))
    assert {name.split("+")[0] for name in images} == {f"images/{names.IMAGES_MISTAKES}"}

    test = read_table(artifacts, names.PREDICTIONS_TEST)
    labels = idx.read_labels(data_dir / f"{idx.TEST_LABELS}.gz")
    assert test.columns.tolist() == ["index", "label", "predicted", *PROBABILITIES]
    assert test["label"].tolist() == labels.tolist()
    assert accuracy(test) == metrics[names.TEST_ACCURACY]

    validation = read_table(artifacts, names.PREDICTIONS_VALIDATION)
    labels = idx.read_labels(data_dir / f"{idx.TRAIN_LABELS}.gz")
    assert validation["index"].nunique() == 60
    assert validation["label"].tolist() == labels[validation["index"]].tolist()
    assert accuracy(validation) == pytest.approx(metrics[names.BEST_VAL_ACCURACY])

    history = read_table(artifacts, names.TABLE_HISTORY)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history[names.VAL_LOSS].iloc[-1] == pytest.approx(metrics[names.VAL_LOSS], rel=1e-6)
    assert b"44,426" in artifacts[names.MODEL_SUMMARY]


def test_console_output_is_an_artifact(train_run: ProjectRun, artifacts: dict[str, bytes]) -> None:
    printed, text = train_run.printed, artifacts[names.CONSOLE_TEXT].decode()
    assert set(text.splitlines()) <= set(printed.splitlines())
    first, *_, last_epoch = [line for line in text.splitlines() if line.startswith(("train", "ep"))]
    assert first.startswith("train: lenet5")
    assert last_epoch.startswith("epoch 3/3  loss ")
    assert f"test accuracy {train_run.metrics[names.TEST_ACCURACY]:.4f}" in text
    assert len(last_epoch) < 80
    assert f"run       {train_run.run.info.run_name} ({train_run.run.info.run_id})" in printed
    assert "**" not in printed


def test_registered_model_predicts_as_logged(
    train_run: ProjectRun, artifacts: dict[str, bytes], data: FashionMNIST, tensorflow: None
) -> None:
    workspace, run, _ = train_run
    version = workspace.client.get_model_version("small", "1")
    assert version.run_id == run.info.run_id
    assert version.tags[names.TAG_MODEL] == "lenet5"
    assert f"{train_run.metrics[names.TEST_ACCURACY]:.4f}" in version.description
    model = workspace.client.get_logged_model(version.source.split("/")[-1])
    assert model.name == "lenet5"
    measured = {m.key: (m.value, m.dataset_name) for m in model.metrics}
    folder = workspace.data_dir.name
    test_accuracy = train_run.metrics[names.TEST_ACCURACY]
    assert measured[names.TEST_ACCURACY] == (test_accuracy, f"{folder}-test")
    assert measured[names.VAL_LOSS][1] == f"{folder}-validation"

    mlflow.set_tracking_uri(workspace.store)
    loaded = mlflow.pyfunc.load_model("models:/small/1")
    assert loaded.metadata.metadata["class_names"][9] == "9"
    probabilities = loaded.predict(data.test.images)
    assert probabilities.dtype == np.float32
    logged = read_table(artifacts, names.PREDICTIONS_TEST)[PROBABILITIES]
    np.testing.assert_allclose(probabilities, logged, atol=1e-6)


def test_frozen_backbone(
    workspace: Workspace, call: Callable, data: FashionMNIST, tensorflow: None
) -> None:
    options = {"model": "mobilenetv2", "weights": "none", "feature_layers": "multi"}
    call("train", **options, epochs=2, cache_dir=workspace.folder / "cache")
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
    expected = read_table(workspace.artifacts(run), names.PREDICTIONS_TEST)[PROBABILITIES]
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)


def test_duplicates_are_dropped(
    workspace: Workspace, call: Callable, tmp_path: Path, tensorflow: None
) -> None:
    folder = shutil.copytree(workspace.data_dir, tmp_path / "duplicates")
    train = folder / f"{idx.TRAIN_IMAGES}.gz"
    images = idx.read_images(train).copy()
    test = idx.read_images(folder / f"{idx.TEST_IMAGES}.gz")
    images[1], images[2], images[3] = images[0], test[5], test[9] ^ 1
    train.write_bytes(gzip.compress(idx.encode(images)))

    call("train", data_dir=folder, epochs=1, drop_duplicates="on")
    [run] = workspace.runs()
    assert run.data.params["drop_duplicates"] == "on"
    counts = {k: v for k, v in run.data.metrics.items() if k.startswith("data/")}
    assert counts == {
        names.DROPPED_ROWS: 3,
        names.DROPPED_REPEATS: 1,
        names.DROPPED_TEST_COPIES: 1,
        names.DROPPED_NEAR_TEST_COPIES: 1,
    }
    assert input_rows(run) == {"training": 537, "validation": 60, "test": 200}


@pytest.mark.slow
def test_recipe_with_one_option_changed(
    workspace: Workspace, call: Callable, tensorflow: None
) -> None:
    """The run has the values in use; the model has no layers that only training needs."""
    options = {"model": "convnet", "recipe": "strong", "flip": "off", "tta_flip": "on"}
    call("train", **options, epochs=1, train_size=200)
    [run] = workspace.runs()
    assert (run.data.params["flip"], run.data.params["translate"]) == ("off", "1")
    assert run.data.tags[names.TAG_MODEL] == "convnet"
    assert 0 <= run.data.metrics[names.TEST_ACCURACY_FLIP] <= 1
    [logged] = workspace.client.search_logged_models([run.info.experiment_id])
    mlflow.set_tracking_uri(workspace.store)
    layers = mlflow.keras.load_model(logged.model_uri).layers
    assert layers[1].scale == pytest.approx(1 / 90.021)
    assert {type(layer).__name__ for layer in layers} == {
        "InputLayer", "Rescaling", "Reshape", "Conv2D", "BatchNormalization", "ReLU", "Add",
        "GlobalAveragePooling2D", "Dense",
    }  # fmt: skip


@pytest.mark.slow
def test_script_gives_the_same_run_as_mlflow_run(
    train_run: ProjectRun, workspace: Workspace
) -> None:
    workspace.execute(workspace.script("train", **OPTIONS["train"]))
    [run] = workspace.runs()
    launched = train_run.run
    assert Train.from_text(run.data.params) == Train.from_text(launched.data.params)
    assert reproducible_metrics(run) == reproducible_metrics(launched)
    assert run.data.tags[names.TAG_CONFIG_DIGEST] == launched.data.tags[names.TAG_CONFIG_DIGEST]
