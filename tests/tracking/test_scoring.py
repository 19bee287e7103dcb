"""A registered model may come from anybody: none is loaded that could run code of its own."""

import pickle
import zipfile
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from fmnist.errors import BadInput
from fmnist.tracking.scoring import scoring_app

pytestmark = pytest.mark.faults

PIXELS = (28, 28)
PLANTED = "planted"


class Planted:
    """Leaves a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path(PLANTED).absolute(),)


def save(folder: Path, dangerous: bool = False) -> Path:
    """A small network as `train` saves its own; a dangerous one holds Python code."""
    import keras

    layers = [keras.Input(PIXELS, dtype="uint8"), keras.layers.Flatten(), keras.layers.Dense(10)]
    if dangerous:
        layers.append(keras.layers.Lambda(lambda x: (Path(PLANTED).touch(), x)[1]))
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype("uint8"), (-1, *PIXELS))]),
        Schema([TensorSpec(np.dtype("float32"), (-1, 10))]),
    )
    model = keras.Sequential(layers)
    mlflow.keras.save_model(model, path=str(folder), signature=signature, pip_requirements=[])
    return folder


def describe(folder: Path, **flavour: object) -> Path:
    """Let the model in the folder say other things of how it is to be loaded."""
    described = Model.load(str(folder))
    described.flavors["python_function"] |= flavour
    described.save(str(folder / "MLmodel"))
    return folder


def test_only_models_that_run_no_code_are_served(
    tmp_path: Path, monkeypatch, tensorflow: None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    good = save(tmp_path / "good")
    assert scoring_app(str(good), PIXELS)
    with pytest.raises(BadInput, match=r"wanted a model of images \(-1, 32, 32\)"):
        scoring_app(str(good), (32, 32))

    with_code = describe(save(tmp_path / "with_code"), code="code")
    (with_code / "code").mkdir()
    (with_code / "code" / "tensorflow.py").write_text(f"open({PLANTED!r}, 'w')")
    pickled = describe(save(tmp_path / "pickled"), loader_module="mlflow.pyfunc.model")
    (pickled / "python_model.pkl").write_bytes(pickle.dumps(Planted()))
    torn = save(tmp_path / "torn")
    [file] = torn.rglob("*.keras")
    file.write_bytes(file.read_bytes()[:-100])
    foreign = save(tmp_path / "foreign")
    [file] = foreign.rglob("*.keras")
    with zipfile.ZipFile(file, "w") as archive:
        call = {"module": "pathlib", "class_name": "Path.touch", "config": {"self": PLANTED}}
        archive.writestr("config.json", str(call).replace("'", '"'))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"")
    lambda_layer = save(tmp_path / "lambda", dangerous=True)
    Path(PLANTED).unlink(missing_ok=True)  # it ran while the network was built
    for hostile, told in (
        (with_code, "without running code of its own .* code; train it here"),
        (pickled, r"got loader mlflow\.pyfunc\.model"),
        (torn, "wanted a model"),
        (foreign, "wanted a model"),
        (lambda_layer, "wanted a model that Keras opens safely"),
    ):
        with pytest.raises(BadInput, match=told):
            scoring_app(str(hostile), PIXELS)
        assert not Path(PLANTED).exists(), hostile
