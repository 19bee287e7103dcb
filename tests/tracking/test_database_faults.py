"""Faults of a sqlite store and of the clock, and many writers at once."""

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import mlflow
import psutil
import pytest
from mlflow import MlflowClient

from fmnist import names
from fmnist.errors import WorkFailed
from fmnist.options import Train
from fmnist.tracking import run as tracking_run
from fmnist.tracking import search
from fmnist.tracking.run import open_run
from tests.helpers.workspace import PROJECT

pytestmark = [pytest.mark.faults, pytest.mark.slow]

PROCESSES, THREADS = 8, 12
# A process that opens the store at the same time as the others. Each of its threads logs a run, and
# each process registers a model under the same name.
WRITER = """
import os, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from fmnist import names
from fmnist.tracking.client import register_version
from fmnist.tracking.run import Run, now
from fmnist.tracking.store import open_store

start, number, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
(start / f"ready-{number}").touch()
while not (start / "go").exists():
    time.sleep(0.01)
client = open_store()

def write(thread):
    run = Run(client, client.create_run("0", tags={"writer": f"{number}.{thread}"}).info.run_id)
    for epoch in (1, 2):
        run.log_epoch(epoch, {names.VAL_LOSS: 1 / epoch})
    run.writer.put("end", status="FINISHED", time=now())

with ThreadPoolExecutor(threads) as pool:
    list(pool.map(write, range(threads)))
model = client.create_logged_model("0", "model")
client.finalize_logged_model(model.model_id, "READY")
register_version(client, model.model_id, "one-name", {})
"""


# A process that is killed by the statement with this number while it creates a store.
MAKER = """
import os, sys
from sqlalchemy import Engine, event
from fmnist.tracking.store import open_store

statements = []

def count(*_):
    statements.append(0)
    if len(statements) == int(sys.argv[1]):
        os.kill(os.getpid(), 9)

event.listen(Engine, "after_cursor_execute", count)
open_store()
"""


@pytest.fixture
def store_uri(tmp_path: Path, monkeypatch) -> str:
    """URI of a store that does not exist yet."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    return uri


def test_first_uses_and_96_writers_at_once(tmp_path: Path, store_uri: str) -> None:
    """Eight processes of twelve threads each, on a store that does not exist yet."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [
        subprocess.Popen(
            [*command, str(number), str(THREADS)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    while len(list(tmp_path.glob("ready-*"))) < PROCESSES:
        assert all(writer.poll() is None for writer in writers), writers
        time.sleep(0.05)
    (tmp_path / "go").touch()
    errors = [writer.communicate(timeout=900)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * PROCESSES, errors
    client = MlflowClient(store_uri)
    runs = client.search_runs(["0"])
    assert Counter(run.data.tags["writer"] for run in runs) == {
        f"{number}.{thread}": 1 for number in range(PROCESSES) for thread in range(THREADS)
    }
    assert {(run.info.status, run.data.metrics[names.VAL_LOSS]) for run in runs} == {
        ("FINISHED", 0.5)
    }
    versions = client.search_model_versions("name='one-name'")
    assert sorted(int(version.version) for version in versions) == list(range(1, PROCESSES + 1))
    assert len({version.source for version in versions}) == PROCESSES


def test_process_killed_while_it_creates_the_store(tmp_path: Path, store_uri: str) -> None:
    command = [sys.executable, "-c", MAKER, "40"]
    # Without the empty store that the cache of this suite keeps.
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "mlflow.db").exists()
    with open_run("train", Train(), {}) as run:
        run.log_epoch(1, {names.VAL_LOSS: 0.5})
    [stored] = MlflowClient(store_uri).search_runs(["0"])
    assert stored.info.artifact_uri.startswith(f"{tmp_path}/mlruns/0/")
    assert {path.name for path in tmp_path.glob("mlflow.db*")} == {"mlflow.db", "mlflow.db-lock"}


def test_locked_store_is_waited_for(tmp_path: Path, client: MlflowClient, capfd) -> None:
    """Longer than sqlite itself waits."""
    with (
        open_run("train", Train(), {}) as run,
        closing(sqlite3.connect(tmp_path / "mlflow.db")) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        other.execute("BEGIN EXCLUSIVE")
        epoch = pool.submit(run.log_epoch, 1, {names.VAL_LOSS: 0.5})
        output = ""
        while "mlflow.db is locked by another process; waiting for it" not in output:
            assert not epoch.done(), epoch.result()
            output += capfd.readouterr().err
            time.sleep(0.05)
        other.rollback()
        epoch.result()
    [stored] = client.search_runs(["0"])
    assert (stored.info.status, stored.data.metrics[names.VAL_LOSS]) == ("FINISHED", 0.5)
    assert "Traceback" not in output


def test_store_that_becomes_read_only(client: MlflowClient, tmp_path: Path, capfd) -> None:
    def work() -> None:
        with open_run("train", Train(), {}) as run:
            run.log_epoch(1, {names.VAL_LOSS: 0.5})
            set_writable(tmp_path, False)
            run.log_epoch(2, {names.VAL_LOSS: 0.25})

    try:
        with pytest.raises(WorkFailed, match=r"mlflow\.db cannot be written .* reap --really"):
            work()
    finally:
        set_writable(tmp_path, True)
    [stored] = client.search_runs(["0"])
    assert (stored.info.status, stored.data.metrics[names.VAL_LOSS]) == ("RUNNING", 0.5)
    assert "Traceback" not in capfd.readouterr().err


def set_writable(folder: Path, writable: bool) -> None:
    """Change whether files can be created; file modes do not restrict root, immutability does."""
    if os.geteuid():
        folder.chmod(0o700 if writable else 0o500)
        return
    command = ["chattr", "-i" if writable else "+i", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs a file system with immutable directories")


def test_clock_that_is_set_back(client: MlflowClient, monkeypatch) -> None:
    """By an hour while a run is open, and again before it is resumed."""
    real = time.time
    with open_run("train", Train(), {names.TAG_CONFIG_DIGEST: "d"}) as run:
        run.log_epoch(1, {names.VAL_LOSS: 0.5})
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
        run.log_epoch(2, {names.VAL_LOSS: 0.25})
    monkeypatch.setattr(tracking_run, "_latest_time", [0])  # as in another process
    monkeypatch.setattr(time, "time", lambda: real() - 7200)
    with open_run("train", Train(), {}, resume=run.run_id) as again:
        again.log_epoch(3, {names.VAL_LOSS: 0.125})
    times = [m.timestamp for m in client.get_metric_history(run.run_id, names.VAL_LOSS)]
    begun = client.get_run(run.run_id).info
    assert begun.start_time <= times[0] <= times[1]
    assert begun.start_time <= times[2]
    for stored in client.search_runs(["0"]):
        assert stored.info.start_time <= stored.info.end_time
    done = search.finished_runs("train", "d")
    assert search.ended_within(done, 1) == done


def test_hundred_runs_leave_nothing_behind(
    client: MlflowClient, tmp_path: Path, monkeypatch
) -> None:
    """No temporary file, open file or thread."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    held = []
    for number in range(100):
        with open_run("train", Train(seed=number), {}) as run:
            run.log_files({"a.txt": b"A"})
            run.download_files(run.run_id)
        assert list(temporary.iterdir()) == []
        if number in (49, 99):
            # The garbage collector ends the idle threads of MLflow's artifact repositories.
            gc.collect()
            process = psutil.Process()
            held.append((process.num_fds(), process.num_threads()))
    (files, threads), (files_at_end, threads_at_end) = held
    assert files_at_end <= files
    assert threads_at_end <= threads
    assert {path.name for path in tmp_path.iterdir()} == {
        "mlflow.db", "mlflow.db-lock", "mlruns", "temporary",
    }  # fmt: skip
