"""The status line, and the record of the output."""

import io
import sys

import pytest

from fmnist.system import console
from fmnist.system.console import Console, current_console, open_console
from fmnist.system.progress import show_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_shows_the_status_below_the_output() -> None:
    stream = Terminal()
    shown = Console(stream, io.StringIO())
    with shown.activity(lambda: "fitting"):
        shown.show_status()
        shown.write(stream, "epoch 1\n")
        shown.show_status()
    shown.write(stream, "end\n")
    clear = "\r\x1b[K"
    assert stream.getvalue() == f"fitting{clear}epoch 1\nfitting{clear}end\n"


def test_long_status_fits_into_80_columns() -> None:
    stream = Terminal()
    shown = Console(stream, stream)
    with shown.activity(lambda: "x" * 200):
        shown.show_status()
    assert stream.getvalue().startswith("x" * 79 + "\r")


def test_pipe_gets_the_status_only_after_silence(monkeypatch) -> None:
    stream = io.StringIO()
    shown = Console(stream, stream)
    with shown.activity(lambda: "folds"), shown.activity(lambda: "fold 1"):
        shown.show_status()
        assert stream.getvalue() == ""
        monkeypatch.setattr(console, "_SILENT_SECONDS", -1)
        shown.show_status()
    shown.show_status()
    assert stream.getvalue() == "fold 1\nworking\n"


def test_no_status_while_another_process_or_an_unfinished_line_has_the_terminal() -> None:
    stream = Terminal()
    shown = Console(stream, stream)
    with shown.activity(None):
        shown.show_status()
    shown.write(stream, "no newline")
    shown.show_status()
    shown.close()
    shown.show_status()
    assert stream.getvalue() == "no newline"


def test_record_has_both_streams_but_no_status_and_no_secrets(monkeypatch, capsys) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    stdout = sys.stdout
    with open_console() as shown, show_progress("fitting"):
        assert current_console() is shown
        print("epoch 1")
        shown.show_status()
        print("hunter2 at http://me:secret@host/", file=sys.stderr)
    assert shown.text == "epoch 1\n*** at http://***@host/\n"
    assert sys.stdout is stdout
    assert "epoch 1\n" in capsys.readouterr().out


def test_output_continues_after_an_error() -> None:
    stdout = sys.stdout
    with pytest.raises(ValueError, match="bad"), open_console():
        raise ValueError("bad")
    assert sys.stdout is stdout
    with show_progress("without a console"):
        pass
