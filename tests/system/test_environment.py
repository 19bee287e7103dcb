"""Processes without a UTF-8 locale or a home directory."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from fmnist.system import environment
from fmnist.system.environment import require_home


def test_other_locales_start_again_in_utf8_mode(monkeypatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, words: started.append(words))
    monkeypatch.setenv("PYTHONUTF8", "0")
    environment.require_utf8()
    assert started == []
    monkeypatch.setattr(environment.locale, "getpreferredencoding", lambda do_setlocale: "ascii")
    environment.require_utf8()
    assert started == [sys.orig_argv]
    assert os.environ["PYTHONUTF8"] == "1"


@pytest.mark.parametrize("home", [None, "/no/such/directory"])
def test_missing_home_directory(tmp_path: Path, monkeypatch, capsys, home: str | None) -> None:
    """`~` is not replaced for a user id without a name."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", home or "~")
    require_home()
    created = tmp_path / f"fmnist-home-{os.getuid()}"
    assert (Path.home(), created.stat().st_mode & 0o777) == (created, 0o700)
    assert f"are kept in {created}; set HOME" in capsys.readouterr().err
    require_home()
    assert capsys.readouterr().err == ""
