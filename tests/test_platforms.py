"""Other platforms and versions of Python: what can be verified on Linux."""

import ast
import sys
from collections import namedtuple
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
POSIX_ONLY = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}
MODULES = sorted([*PROJECT.glob("fmnist/**/*.py"), *PROJECT.glob("entrypoints/*.py")])

HIDE = """
import importlib, sys
for name in {posix!r}:
    sys.modules.pop(name, None)
import builtins
real = builtins.__import__

def guarded(name, globals=None, *rest, **options):
    ours = str((globals or {{}}).get("__name__", "")).startswith(("fmnist", "entrypoints"))
    if ours and name in {posix!r}:
        raise ModuleNotFoundError(name)
    return real(name, globals, *rest, **options)

builtins.__import__ = guarded
for name in {modules!r}:
    importlib.import_module(name)
"""


def test_no_module_imports_posix_modules_when_it_is_imported() -> None:
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            imported = {alias.name for alias in getattr(node, "names", ())}
            imported.add(getattr(node, "module", None) or "")
            assert not POSIX_ONLY & {name.partition(".")[0] for name in imported}, path


@pytest.mark.slow
def test_all_modules_can_be_imported_without_posix_modules() -> None:
    import subprocess

    names = [".".join(path.relative_to(PROJECT).with_suffix("").parts) for path in MODULES]
    names = [name.removesuffix(".__init__") for name in names]
    code = HIDE.format(posix=sorted(POSIX_ONLY), modules=names)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


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
