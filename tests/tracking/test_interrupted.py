"""A signal in the middle of a question to sqlite: the run is closed, and the store is left free."""

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from sqlalchemy import Engine, event

from fmnist import names
from fmnist.errors import Interrupted
from fmnist.options import Train
from fmnist.results.training import FoldFailed
from fmnist.system import signals as process
from fmnist.system.signals import stop_on_signals
from fmnist.tracking import folds, search
from fmnist.tracking.registry import Registry
from fmnist.tracking.run import open_run
from fmnist.tracking.store import open_store


def work() -> None:
    """Something of all that is asked and told of a run."""
    search.done("train", "d")
    with open_run("train", Train(), {names.TAG_CONFIG_DIGEST: "d"}) as run:
        run.log_epoch(1, {names.VAL_LOSS: 0.5})
        list(folds.stored_folds(run))
        folds.log_fold(run, FoldFailed(1, 1, "no memory", ""), {}, {}, "fold 1", {}, {})
        run.environment_of_steps()
        Registry(open_store(), "none").champion()
        run.log_files({"a.txt": b"A"})


@contextmanager
def stopped_at(statement: int) -> Iterator[list[str]]:
    """SIGTERM after so many statements of the main thread; the statements until the end."""
    asked: list[str] = []

    def count(_c: object, _u: object, text: str, *_: object) -> None:
        ours = threading.current_thread() is threading.main_thread()
        if ours and not text.startswith("PRAGMA"):  # of which there are three before each question
            asked.append(text)
            if len(asked) == statement:
                os.kill(os.getpid(), signal.SIGTERM)

    event.listen(Engine, "after_cursor_execute", count)
    try:
        yield asked
    finally:
        event.remove(Engine, "after_cursor_execute", count)


@pytest.mark.faults
def test_a_signal_in_any_statement_closes_the_run_and_leaves_no_lock(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    client = MlflowClient()
    work()  # the first makes the store
    statement, stopped = 0, True
    while stopped:
        statement += 2
        monkeypatch.setattr(process, "_interruptions", [])
        stop_on_signals()
        with stopped_at(statement) as asked:
            stopped = was_stopped(tmp_path / "mlflow.db")
        ended = {run.info.status for run in client.search_runs(["0"])}
        assert ended <= {"KILLED", "FINISHED", "FAILED"}, (statement, asked[-3:])
    assert statement > len(asked) > 50


def was_stopped(store: Path) -> bool:
    """Do the work, and need a free store when a signal stops it; whether one did."""
    try:
        work()
    except Interrupted:  # which holds all that it came through, as a command holds it
        with closing(sqlite3.connect(store, timeout=0)) as database:
            database.execute("BEGIN IMMEDIATE")
        return True
    return False
