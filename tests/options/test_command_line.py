"""What a user may type, and how soon and how clearly a mistake is told."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]

# Fails when TensorFlow or MLflow is imported, whoever does it.
GUARD = """
import runpy, sys
for package in ("tensorflow", "keras", "mlflow"):
    sys.modules[package] = None
sys.argv = ["train", *sys.argv[1:]]
runpy.run_module("entrypoints.train", run_name="__main__")
"""


def train(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", GUARD, *words],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.faults
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--epochs", "0"], "epochs=0: input should be greater than or equal to 1"),
        (["--epochs", "2.5"], "--epochs: invalid literal for int"),
        (["--dropout", "1.5"], "dropout=1.5: input should be less than 1"),
        (["--dropout", "-0.1"], "dropout=-0.1: input should be greater than or equal to 0"),
        (["--learning_rate", "abc"], "--learning_rate: could not convert string to float"),
        (["--learning_rate", "nan"], "learning_rate=nan: input should be a finite number"),
        (["--learning_rate", "0"], "learning_rate=0.0: input should be greater than 0"),
        (["--model", "lenet"], "invalid choice 'lenet'"),
        (["--keep", "first"], "invalid choice 'first'"),
        (["--batch_size", "1"], "batch_size=1: input should be greater than or equal to 2"),
        (["--seed", "-1"], "seed=-1: input should be greater than or equal to 0"),
        (["--epoch", "3"], "Unrecognized options: --epoch"),
        (["--verbose"], "Unrecognized options: --verbose"),
        (["extra"], "Unrecognized options: extra"),
        (["--register_as", "a/b"], "register_as=a/b: string should match pattern"),
        (["--validation_fraction", "0"], "keep=best chooses by validation loss"),
        (["--data_dir", "/no/such/folder"], "/no/such/folder"),
    ],
)
def test_bad_options_are_told_before_anything_heavy(words: list[str], told: str) -> None:
    started = time.monotonic()
    done = train(*words)
    assert done.returncode == 2
    # The box that tyro draws breaks its lines.
    assert told in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert time.monotonic() - started < 20  # seconds; a hang, not a speed, is what this finds


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--train_size", "601"], "601"),
        (["--train_size", "5"], "class"),
        (["--validation_fraction", "0.001"], "validation fraction"),
    ],
)
def test_rows_that_do_not_suffice(small_data_dir: Path, words: list[str], told: str) -> None:
    done = train("--data_dir", str(small_data_dir), *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_data_come_before_tensorflow(small_data_dir: Path) -> None:
    """The guard itself works: with good options the first heavy import is what fails."""
    done = train("--data_dir", str(small_data_dir))
    assert done.returncode == 1
    assert "import of tensorflow halted" in done.stderr


@pytest.mark.faults
def test_a_server_that_is_not_there(small_data_dir: Path) -> None:
    done = train(
        "--data_dir", str(small_data_dir), MLFLOW_TRACKING_URI="http://me:secret@127.0.0.1:9"
    )
    assert done.returncode == 1
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr
    assert "MLFLOW_TRACKING_URI" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("address", ["http://", "http://host:notaport"])
def test_an_address_that_makes_no_sense(small_data_dir: Path, address: str) -> None:
    done = train("--data_dir", str(small_data_dir), MLFLOW_TRACKING_URI=address)
    assert done.returncode == 2
    assert address in done.stderr


def test_help_names_every_option() -> None:
    done = train("--help")
    assert done.returncode == 0
    for option in ("--data_dir", "--epochs", "--learning_rate", "--register_as"):
        assert option in done.stdout
