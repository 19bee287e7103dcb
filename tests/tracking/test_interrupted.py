"""A signal during a database call: the run is ended, and the store is not left locked."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sqlalchemy import Engine, event

from fmnist import names
from fmnist.errors import Interrupted
from fmnist.options import Train
from fmnist.system import signals as process
from fmnist.system.signals import stop_on_signals
from fmnist.tracking import search
from fmnist.tracking.nested import NestedRun, finished_children, log_nested_run
from fmnist.tracking.registry import Registry
from fmnist.tracking.run import open_run
from fmnist.tracking.store import open_store


def work() -> None:
    """Use the store in all the ways in which commands do."""
    search.finished_runs("train", "d")
    with open_run("train", Train(), {names.TAG_CONFIG_DIGEST: "d"}) as run:
        run.log_epoch(1, {names.VAL_LOSS: 0.5})
        list(finished_children(run, "fold"))
        log_nested_run(run, NestedRun("fold 1", {}, {}, 1.0, 2.0, error="no memory"))
        run.child_environment()
        Registry(open_store(), "none").champion()
        run.log_files({"a.txt": b"A"})


@contextmanager
def stopped_at(statement: int) -> Iterator[list[str]]:
    """Send SIGTERM after this many statements of the main thread; yields the statements."""
    statements: list[str] = []

    def count(_c: object, _u: object, text: str, *_: object) -> None:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and not text.startswith("PRAGMA"):
            statements.append(text)
            if len(statements) == statement:
                os.kill(os.getpid(), signal.SIGTERM)

    event.listen(Engine, "after_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(Engine, "after_cursor_execute", count)


@pytest.mark.faults
def test_signal_in_any_statement_ends_the_run_and_leaves_no_lock(
    client: MlflowClient, tmp_path: Path, monkeypatch
) -> None:
    work()
    statement, stopped = 0, True
    while stopped:
        statement += 2
        monkeypatch.setattr(process, "_interruptions", [])
        stop_on_signals()
        with stopped_at(statement) as statements:
            stopped = was_stopped(tmp_path / "mlflow.db")
        ended = {run.info.status for run in client.search_runs(["0"])}
        assert ended <= {"KILLED", "FINISHED", "FAILED"}, (statement, statements[-3:])
    assert statement > len(statements) > 50


def was_stopped(store: Path) -> bool:
    """Return whether a signal stopped the work; if so, the store must not be locked."""
    try:
        work()
    except Interrupted:  # the traceback keeps all frames alive, as in a command
        with closing(sqlite3.connect(store, timeout=0)) as database:
            database.execute("BEGIN IMMEDIATE")
        return True
    return False
