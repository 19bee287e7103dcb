"""Other platforms and versions of Python: what can be verified on Linux."""

import ast
import sys
from collections import namedtuple
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
POSIX_ONLY = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}
MODULES = sorted([*PROJECT.glob("fmnist/**/*.py"), *PROJECT.glob("entrypoints/*.py")])


def test_no_module_imports_posix_modules_when_it_is_imported() -> None:
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            imported = {alias.name for alias in getattr(node, "names", ())}
            imported.add(getattr(node, "module", None) or "")
            assert not POSIX_ONLY & {name.partition(".")[0] for name in imported}, path


@pytest.mark.parametrize("version", [(3, 8), (3, 10), (3, 14)])
def test_unsupported_python_gives_one_line(monkeypatch, capsys, version: tuple[int, int]) -> None:
    """Older versions can parse everything that runs until then."""
    executed = [PROJECT / "fmnist" / "__init__.py", *PROJECT.glob("entrypoints/*.py")]
    for path in executed:
        ast.parse(path.read_text(), feature_version=(3, 8))
    Version = namedtuple("Version", "major minor micro")
    monkeypatch.setattr(sys, "version_info", Version(*version, 0))
    with pytest.raises(SystemExit, match="2"):
        exec(executed[0].read_text(), {})  # noqa: S102
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "fmnist needs Python 3.11, 3.12 or 3.13" in message
    assert ".".join(map(str, version)) in message
