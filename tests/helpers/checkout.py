"""Fail the session if tests have left files in the checkout."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
TOOL_CACHES = {
    ".git", ".import_linter_cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv",
    "__pycache__",
}  # fmt: skip
# Somebody may edit these while the tests run, and no test writes such files.
SOURCES = {".jinja", ".md", ".py", ".toml", ".yaml", ".yml"}

_BEFORE = pytest.StashKey[dict[Path, tuple[int, int]]]()
_LEFTOVERS = pytest.StashKey[list[Path]]()


def snapshot(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and modification time of each file, without those of tools; a folder has (0, 0)."""
    files = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in TOOL_CACHES]
        files |= {Path(parent, name): (0, 0) for name in folders}
        for name in names:
            status = Path(parent, name).lstat()
            files[Path(parent, name)] = (status.st_size, status.st_mtime_ns)
    return files


def changes(before: dict[Path, tuple[int, int]], after: dict[Path, tuple[int, int]]) -> list[Path]:
    """What was created, removed or changed, without sources."""
    paths = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    return sorted(path for path in paths if path.suffix not in SOURCES)


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):  # the workers' files are seen from here
        session.config.stash[_BEFORE] = snapshot(PROJECT)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _BEFORE in session.config.stash:
        leftovers = changes(session.config.stash[_BEFORE], snapshot(PROJECT))
        session.config.stash[_LEFTOVERS] = leftovers
        if leftovers and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if leftovers := config.stash.get(_LEFTOVERS, []):
        terminalreporter.section("the checkout has changed during the tests")
        for path in leftovers:
            terminalreporter.line(str(path.relative_to(PROJECT)))
