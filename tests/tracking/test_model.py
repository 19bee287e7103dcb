"""Only models that run no code of their own are served."""

import pickle
import zipfile
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from fmnist.errors import BadInput
from fmnist.tracking.model import load_scored_model

pytestmark = [pytest.mark.faults, pytest.mark.slow]

PIXELS = (28, 28)
PLANTED = "planted"


class Planted:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path(PLANTED).absolute(),)


def save(folder: Path, dangerous: bool = False) -> Path:
    """Save a small model as `train` does, optionally with a layer of Python code."""
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


def edit_flavor(folder: Path, **changes: object) -> Path:
    """Change how the model in the folder is loaded."""
    model = Model.load(str(folder))
    model.flavors["python_function"] |= changes
    model.save(str(folder / "MLmodel"))
    return folder


def test_only_models_that_run_no_code_are_served(
    tmp_path: Path, monkeypatch, tensorflow: None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    good = save(tmp_path / "good")
    assert load_scored_model(str(good), PIXELS)
    with pytest.raises(BadInput, match=r"expected inputs of shape \(-1, 32, 32\)"):
        load_scored_model(str(good), (32, 32))

    with_code = edit_flavor(save(tmp_path / "with_code"), code="code")
    (with_code / "code").mkdir()
    (with_code / "code" / "tensorflow.py").write_text(f"open({PLANTED!r}, 'w')")
    pickled = edit_flavor(save(tmp_path / "pickled"), loader_module="mlflow.pyfunc.model")
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
    Path(PLANTED).unlink(missing_ok=True)  # the layer ran while the network was built
    for hostile, message in (
        (with_code, "without code of its own .* code; train it here"),
        (pickled, r"got loader mlflow\.pyfunc\.model"),
        (torn, "expected a model|cannot load"),
        (foreign, "expected a model|cannot load"),
        (lambda_layer, "Keras cannot load this model in safe mode"),
    ):
        with pytest.raises(BadInput, match=message):
            load_scored_model(str(hostile), PIXELS)
        assert not Path(PLANTED).exists(), hostile
