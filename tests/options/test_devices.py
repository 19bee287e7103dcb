"""GPUs are found without TensorFlow and are part of the configuration digest."""

from pathlib import Path

import pytest

from fmnist.options import Compare, Train, configuration_digest, devices
from fmnist.options.devices import gpu_names


@pytest.fixture
def driver(tmp_path: Path, monkeypatch) -> Path:
    """The directory of NVIDIA's driver with one GPU."""
    folder = tmp_path / "gpus" / "0000:0f:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: \t\t NVIDIA H100\nIRQ:   16\n")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_DRIVER", tmp_path / "gpus")
    return folder


@pytest.mark.parametrize(
    ("visible", "names"),
    [(None, ["NVIDIA H100"]), ("0", ["NVIDIA H100"]), ("-1", []), ("", [])],
)
def test_gpu_names(driver: Path, monkeypatch, visible: str | None, names: list[str]) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_names() == names


def test_digest_of_a_training_depends_on_the_device(driver: Path, monkeypatch) -> None:
    on_gpu = {options: configuration_digest(options(), "data") for options in (Train, Compare)}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert configuration_digest(Train(), "data") != on_gpu[Train]
    assert configuration_digest(Compare(), "data") == on_gpu[Compare]
