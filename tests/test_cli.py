"""Usage errors are reported early and clearly; exit codes of entry points and commands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fmnist import errors
from fmnist.__main__ import main
from fmnist.cli import plain_text, run
from fmnist.errors import BadInput
from fmnist.options import ENTRY_POINTS, Promote, Train
from fmnist.options.base import RENAMED_OPTIONS
from fmnist.options.command_line import EXAMPLES, parse

PROJECT = Path(__file__).parents[1]

# Fails if TensorFlow or MLflow is imported.
GUARD = """
import runpy, sys
for package in ("tensorflow", "keras", "mlflow"):
    sys.modules[package] = None
sys.argv = ["train", *sys.argv[1:]]
runpy.run_module("entrypoints.train", run_name="__main__")
"""


def train(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", GUARD, *arguments],
        cwd=PROJECT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "epochs=0: input should be greater than or equal to 1"),
        (["--dropout", "1.5"], "dropout=1.5: input should be less than 1"),
        (["--dropout", "-0.1"], "dropout=-0.1: input should be greater than or equal to 0"),
        (["--learning_rate", "nan"], "learning_rate=nan: input should be a finite number"),
        (["--learning_rate", "0"], "learning_rate=0: input should be greater than 0"),
        (["--batch_size", "1"], "batch_size=1: input should be greater than or equal to 2"),
        (["--seed", "-1"], "seed=-1: input should be greater than or equal to 0"),
        (["--register_as", "a/b"], "register_as=a/b: expected a name without spaces, quotes"),
        (["--resume", "12"], r"resume=12: expected auto, off or a run ID \(32 hexadecimal digits"),
        (["--teacher", "x"], "teacher=x: expected none, a run ID .* or models:/NAME@ALIAS"),
        (["--validation_fraction", "0"], "keep=best selects by validation loss"),
        (["--epochs", "2.5"], "epochs=2.5: input should be a valid integer"),
        (["--learning_rate", "abc"], "learning_rate=abc: input should be a valid number"),
        (["--model", "lenet"], "model=lenet: input should be 'lenet5', 'convnet', "),
        (["--keep", "first"], "keep=first: input should be 'best' or 'last'"),
        (["--epochs"], "--epochs: expected one argument"),
        (["--epoch", "3"], "unknown option --epoch; did you mean --epochs"),
        (["--verbose"], "unknown option --verbose; see --help"),
        (["extra"], "unexpected argument extra"),
    ],
)
def test_invalid_arguments(arguments: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse(Train, arguments, "train")


def test_only_given_options_are_set() -> None:
    options = parse(Train, ["--train-size=20", "--flip", "on"], "train")
    assert (options.train_size, options.flip) == (20, "on")
    assert options.model_fields_set >= {"train_size", "flip"}
    assert "epochs" not in options.model_fields_set


@pytest.mark.parametrize(("old", "new"), RENAMED_OPTIONS.items())
def test_old_names_are_rejected_with_the_new_name(old: str, new: str) -> None:
    for arguments in ([f"--{old}", "1"], [f"--{old}=1"]):
        with pytest.raises(BadInput, match=f"--{old} has been renamed; use --{new}"):
            parse(Train, arguments, "train")


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        (["--epochs", "0"], {}, 2, "epochs=0"),
        (["--epochs", "abc"], {}, 2, "epochs=abc"),
        (["--shift", "2"], {}, 2, "--translate"),
        (["--data_dir", "/no/such/folder"], {}, 2, "/no/such/folder"),
        (["--train_size", "601"], {}, 2, "601"),
        (["--train_size", "5"], {}, 2, "class"),
        (["--validation_fraction", "0.001"], {}, 2, "validation fraction"),
        ([], {"MLFLOW_RUN_ID": "f" * 32, "MLFLOW_TRACKING_URI": "sqlite:////tmp/no.db"}, 2, "such"),
        (
            [],
            {"MLFLOW_TRACKING_URI": "http://me:secret@127.0.0.1:9"},
            1,
            "http://127.0.0.1:9 cannot be reached",
        ),
        ([], {}, 1, "import of tensorflow halted"),  # valid options: the guard works
    ],
)
def test_errors_are_reported_before_heavy_imports(
    small_data_dir: Path,
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    message: str,
) -> None:
    done = train("--data_dir", str(small_data_dir), *arguments, **environment)
    assert done.returncode == code
    assert message in done.stderr
    assert ("Traceback" in done.stderr) == ("halted" in message)
    assert "secret" not in done.stderr
    assert len(done.stdout.splitlines()) in (0, 3)  # what, which data, where


def test_help_needs_no_heavy_imports() -> None:
    done = train("--help")
    assert done.returncode == 0
    assert "usage: python -m entrypoints.train" in done.stdout


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_help_has_every_option_with_default_and_values_in_80_columns(
    entry_point: str, capsys
) -> None:
    options = ENTRY_POINTS[entry_point]
    with pytest.raises(SystemExit, match="0"):
        parse(options, ["--help"], entry_point)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    facts = " ".join(text.split())
    for name, field in options.model_fields.items():
        assert f"--{name} " in facts
        assert f"default {field.default}]" in facts
    assert text.count(f"\n  python -m entrypoints.{entry_point} --") == 2
    if entry_point == "train":
        assert "number of training epochs [1 to 10,000; default 10]" in facts
    if entry_point == "compare":
        assert text.index("options of compare:") < text.index("--seed ") < text.index("data:")
    for example in EXAMPLES[entry_point]:
        assert parse(options, example.split(), entry_point).changed()


def test_plain_text_has_no_markdown_and_aligned_tables() -> None:
    text = plain_text(
        "**lenet5: test accuracy 0.88** (8,800 of 10,000 images; 95 % interval 0.8735 to 0.8862) "
        "and *more*, see `x_y`\n\n- [run](http://host/)\n"
        f"| a | b\\|c |\n| --- | --- |\n| 1.5 | **2** |\n| x | {'word ' * 20}|\n\n"
        "    mlflow run . -P a=1\n"
    )
    assert text.splitlines() == [
        "lenet5: test accuracy 0.88 (8,800 of 10,000 images; 95 % interval 0.8735 to",
        "0.8862) and more, see x_y",
        "",
        "- run",
        "a    b|c",
        "1.5  2",
        "x    " + " ".join(["word"] * 15),
        "     word word word word word",
        "",
        "  mlflow run . -P a=1",
    ]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (None, 0, ""),
        (errors.WorkFailed("loss is NaN"), 1, "promote: failed: loss is NaN\n"),
        (errors.BadInput("no such run"), 2, "promote: no such run\n"),
        (errors.DriftAlarm("drift"), 3, "promote: drift\n"),
        (errors.PromotionRefused("rejected"), 4, "promote: rejected\n"),
        (errors.TrackingIncomplete("kept"), 5, "promote: kept\n"),
        (KeyError("bug"), 1, "Traceback .*KeyError: 'bug'\npromote: failed: 'bug'\n"),
    ],
)
def test_exit_codes(monkeypatch, capsys, error: Exception | None, code: int, message: str) -> None:
    def promote(options: Promote) -> None:
        if error:
            raise error

    monkeypatch.setattr(sys, "argv", ["promote", "--register_as", "lenet5"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@host")
    with pytest.raises(SystemExit) as exit_:
        run(Promote, promote)
    assert exit_.value.code == code
    output = capsys.readouterr()
    assert output.out == "promote: register_as=lenet5\ntracking  http://host, experiment Default\n"
    assert re.fullmatch(message, output.err, re.DOTALL)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_full_disk_of_the_output(monkeypatch, capsys) -> None:
    """Exit code 2 before the work, 1 after it has started."""

    def promote(options: Promote) -> None:
        print("result", flush=True)

    monkeypatch.setattr(sys, "argv", ["promote", "--register_as", "lenet5"])
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit, match="2"):
            run(Promote, promote)
    assert capsys.readouterr().err.count("cannot be written (No space left on device)") == 1


COMMANDS = ["doctor", "sync", "reap", "cache", "predict", "serve", "options"]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help(capsys, command: str) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command.split(), "--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert text.count(f"\n  python -m fmnist {command}") == (2 if command else 0)


def test_errors_of_commands(tmp_path: Path, capsys) -> None:
    assert main(["sync", str(tmp_path / "missing")]) == 2
    assert "sync: " in capsys.readouterr().err
    assert main(["cache", "prune", "--cache_dir", str(tmp_path)]) == 2
    assert "cache: " in capsys.readouterr().err
