"""What one `mlflow run . -e train` leaves behind, and that it is what the contract says."""

import io
import json
from dataclasses import asdict
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from fmnist import names
from fmnist.data import files, idx
from fmnist.options import Train
from fmnist.options.recipe import RECIPES, REPORT
from tests.entrypoints.conftest import Bench

EPOCHS = 3
EVERY_EPOCH = {
    names.TRAIN_LOSS, names.TRAIN_ACCURACY, names.VAL_LOSS, names.VAL_ACCURACY,
    names.LEARNING_RATE, names.EPOCH_SECONDS, names.IMAGES_PER_SECOND,
}  # fmt: skip
ONCE = {
    names.BEST_EPOCH, names.BEST_VAL_ACCURACY, names.BEST_VAL_LOSS, names.FINAL_TRAIN_ACCURACY,
    names.FINAL_VAL_ACCURACY, names.TEST_LOSS, names.TEST_ACCURACY, names.TEST_MACRO_F1,
    names.TEST_ECE, names.FIT_SECONDS, names.PREDICT_MS_PER_IMAGE, names.PARAMETERS_TOTAL,
    names.PARAMETERS_TRAINABLE, names.MODEL_BYTES,
}  # fmt: skip
CLOCKS = {
    names.EPOCH_SECONDS, names.IMAGES_PER_SECOND, names.FIT_SECONDS, names.PREDICT_MS_PER_IMAGE,
}  # fmt: skip
ARTIFACTS = {
    names.FIGURE_ACCURACY, names.FIGURE_CONVERGENCE, names.FIGURE_CONFUSION, names.FIGURE_MISTAKES,
    names.TABLE_HISTORY, names.TABLE_PER_CLASS, names.PREDICTIONS_TEST,
    names.PREDICTIONS_VALIDATION, names.MODEL_SUMMARY,
}  # fmt: skip


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory, small_data_dir: Path) -> Bench:
    """A bench after `mlflow run . -e train`, with its model in the registry."""
    bench = Bench(tmp_path_factory.mktemp("two words"), small_data_dir)
    options = {"epochs": EPOCHS, "dropout": 0.4, "learning_rate": "1e-2", "register_as": "small"}
    done = bench.finish(bench.mlflow("train", **options))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "epoch 3/3" in done.stdout
    return bench


def numbers(bench: Bench) -> dict[str, list[tuple[int, float]]]:
    """Every metric of the only run, but for clocks and the machine's own, with its steps."""
    [run] = bench.runs()
    return {
        name: [(m.step, m.value) for m in bench.client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
        if name not in CLOCKS and not name.startswith("system/")
    }


def test_the_run_is_told_whole(launched: Bench) -> None:
    [run] = launched.runs()
    assert run.info.status == "FINISHED"
    used = {f"used.{name}": str(value) for name, value in asdict(REPORT).items()}
    assert run.data.params.keys() == Train.model_fields.keys() | used.keys()
    assert used.items() <= run.data.params.items()
    logged = {k: v for k, v in run.data.metrics.items() if not k.startswith("system/")}
    assert logged.keys() == EVERY_EPOCH | ONCE
    for name in EVERY_EPOCH:
        history = launched.client.get_metric_history(run.info.run_id, name)
        assert [metric.step for metric in history] == [1, 2, 3]
    assert run.data.tags[names.TAG_KIND] == "train"
    assert run.data.tags[names.TAG_MODEL] == "lenet5"
    assert f"{logged[names.TEST_ACCURACY]:.4f}" in run.data.tags[names.TAG_NOTE]
    assert logged[names.PARAMETERS_TOTAL] == 44_426


def test_the_rows_it_used_are_recorded(launched: Bench) -> None:
    [run] = launched.runs()
    contexts = {
        given.tags[0].value: json.loads(given.dataset.profile)["features_shape"][0]
        for given in run.inputs.dataset_inputs
    }
    assert contexts == {"training": 540, "validation": 60, "test": 200}
    digests = {given.dataset.digest for given in run.inputs.dataset_inputs}
    assert digests == {run.data.tags[names.TAG_DATA_DIGEST]}


def test_files_hold_what_the_metrics_say(launched: Bench) -> None:
    [run] = launched.runs()
    folder = Path(launched.client.download_artifacts(run.info.run_id, ""))
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == ARTIFACTS
    for name in ARTIFACTS:
        if name.endswith(".png"):
            assert (folder / name).read_bytes()[:4] == b"\x89PNG"

    predictions = pd.read_parquet(folder / names.PREDICTIONS_TEST)
    labels = idx.read_labels(launched.data_dir / f"{files.TEST_LABELS}.gz")
    assert predictions.columns.tolist() == ["index", "label", "predicted"] + [
        f"p{c}" for c in range(10)
    ]
    assert predictions["label"].tolist() == labels.tolist()
    accuracy = float((predictions["predicted"] == predictions["label"]).mean())
    assert accuracy == run.data.metrics[names.TEST_ACCURACY]

    validation = pd.read_parquet(folder / names.PREDICTIONS_VALIDATION)
    labels = idx.read_labels(launched.data_dir / f"{files.TRAIN_LABELS}.gz")
    assert len(set(validation["index"])) == 60
    assert validation["label"].tolist() == labels[validation["index"]].tolist()
    accuracy = float((validation["predicted"] == validation["label"]).mean())
    assert accuracy == pytest.approx(run.data.metrics[names.BEST_VAL_ACCURACY])

    history = pd.read_csv(folder / names.TABLE_HISTORY)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history[names.VAL_LOSS].iloc[-1] == run.data.metrics[names.VAL_LOSS]
    assert "44,426" in (folder / names.MODEL_SUMMARY).read_text()


def test_the_tracking_folder_keeps_itself_out_of_version_control(launched: Bench) -> None:
    assert (launched.folder / "mlruns" / ".gitignore").read_text().splitlines()[-1] == "*"


def test_the_registered_model_answers_as_logged(launched: Bench, tensorflow: None) -> None:
    [run] = launched.runs()
    [version] = launched.client.search_model_versions("name='small'")
    assert version.run_id == run.info.run_id
    assert version.tags[names.TAG_CONFIG_DIGEST] == run.data.tags[names.TAG_CONFIG_DIGEST]

    model = MlflowClient(launched.store).get_logged_model(version.source.split("/")[-1])
    assert {m.key: m.value for m in model.metrics}[names.TEST_ACCURACY] == (
        run.data.metrics[names.TEST_ACCURACY]
    )
    mlflow.set_tracking_uri(launched.store)
    loaded = mlflow.pyfunc.load_model("models:/small/1")
    assert loaded.metadata.metadata["class_names"][9] == "Ankle boot"
    images = idx.read_images(launched.data_dir / f"{files.TEST_IMAGES}.gz")
    stored = pd.read_parquet(
        io.BytesIO(
            Path(
                launched.client.download_artifacts(run.info.run_id, names.PREDICTIONS_TEST)
            ).read_bytes()
        )
    )
    answers = loaded.predict(images)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, stored[[f"p{c}" for c in range(10)]], atol=1e-6)


def test_a_recipe_with_a_word_of_ones_own(
    tmp_path: Path, small_data_dir: Path, tensorflow: None
) -> None:
    """What it came to is logged; the model that is left knows nothing of how it was trained."""
    bench = Bench(tmp_path, small_data_dir)
    options = {"model": "convnet", "recipe": "strong", "flip": "off", "tta_flip": "on"}
    done = bench.finish(bench.python("train", **options, epochs=1, train_size=200))
    assert done.returncode == 0, done.stderr
    [run] = bench.runs()
    assert (run.data.params["flip"], run.data.params["translate"]) == ("off", "recipe")
    assert "used.flip" not in run.data.params
    assert run.data.params["used.translate"] == str(RECIPES["strong"].translate)
    assert run.data.tags[names.TAG_MODEL] == "convnet"
    assert 0 <= run.data.metrics[names.TEST_ACCURACY_FLIP] <= 1
    mlflow.set_tracking_uri(bench.store)
    [logged] = MlflowClient(bench.store).search_logged_models([run.info.experiment_id])
    layers = mlflow.keras.load_model(logged.model_uri).layers
    assert layers[1].scale == pytest.approx(1 / 90.021)
    assert {type(layer).__name__ for layer in layers} == {
        "InputLayer", "Rescaling", "Reshape", "Conv2D", "BatchNormalization", "ReLU", "Add",
        "GlobalAveragePooling2D", "Dense",
    }  # fmt: skip


def test_the_script_gives_the_same_run_as_the_project(
    launched: Bench, tmp_path: Path, small_data_dir: Path
) -> None:
    bench = Bench(tmp_path, small_data_dir)
    options = {"epochs": EPOCHS, "dropout": 0.4, "learning_rate": "1e-2", "register_as": "small"}
    done = bench.finish(bench.python("train", **options))
    assert done.returncode == 0, done.stderr
    [mine], [theirs] = bench.runs(), launched.runs()
    assert Train.from_text(mine.data.params) == Train.from_text(
        theirs.data.params | {"data_dir": str(small_data_dir)}
    )
    assert numbers(bench) == numbers(launched)
    assert mine.data.tags[names.TAG_CONFIG_DIGEST] == theirs.data.tags[names.TAG_CONFIG_DIGEST]
