"""The benchmarks read the data like the entry points and show errors of their child processes."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import accuracy
from fmnist import names
from fmnist.options import Train
from fmnist.results.steps import Step

PROJECT = Path(__file__).parents[1]


def run_benchmark(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_error_of_a_child_process_is_shown(tmp_path: Path) -> None:
    result = run_benchmark("train_lenet", "--data_dir", str(tmp_path / "missing"), "--repeats", "1")
    assert result.returncode == 1
    assert "benchmarks.train_lenet" in result.stderr
    assert "BadInput" in result.stderr
    assert "CalledProcessError" not in result.stderr


@pytest.mark.slow
def test_train_lenet_accepts_uncompressed_files(small_data_dir: Path, tmp_path: Path) -> None:
    for path in small_data_dir.glob("*.gz"):
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    options = ("--data_dir", str(tmp_path), "--repeats", "1", "--epochs", "1")
    result = run_benchmark("train_lenet", *options)
    assert result.returncode == 0, result.stderr
    assert "| | plain Keras | fmnist |" in result.stdout.replace("|  |", "| |")
    assert "(1 seeds)" in result.stdout


@pytest.mark.slow
def test_crossval_compares_both_sides(small_data_dir: Path) -> None:
    options = ("--data_dir", str(small_data_dir), "--folds", "2", "--epochs", "1")
    result = run_benchmark("crossval", *options)
    assert result.returncode == 0, result.stderr
    assert "| plain Keras |" in result.stdout
    assert "| fmnist |" in result.stdout


def test_accuracy_trains_only_what_is_not_in_its_file(monkeypatch, tmp_path: Path) -> None:
    trained = []

    def train(step: Step) -> dict[str, float]:
        trained.append(step.title)
        return {names.TEST_ACCURACY: 0.9, names.FIT_SECONDS: 1.0}

    monkeypatch.setattr(accuracy, "train", train)

    def measure(seed: int, data: str = "0" * 32) -> None:
        options = Train(recipe="lenet5-10", seed=seed)
        result = accuracy.measure(options, tmp_path / "accuracy.json", data)
        assert result[names.TEST_ACCURACY] == 0.9

    for seed in (0, 1, 0, 2, 1):
        measure(seed)
    assert len(trained) == 3
    measure(0, data="1" * 32)  # results of other data do not count
    assert len(trained) == 4
