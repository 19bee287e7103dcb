"""Runs in a sqlite store through what becomes of its file, of the clock, and of many at once."""

import json
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
from fmnist.tracking import clock, owner, search
from fmnist.tracking.orphans import find_stale
from fmnist.tracking.run import open_run
from tests.helpers.workspace import PROJECT

pytestmark = [pytest.mark.faults, pytest.mark.slow]

PROCESSES, THREADS = 8, 12
# A process that waits for the others, then uses the store for the first time as all do at once;
# each of its threads tells of a run, and all register their model under one name.
WRITER = """
import os, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from fmnist import names
from fmnist.tracking.delivery import Delivery
from fmnist.tracking.queue import Direct
from fmnist.tracking.run import Run
from fmnist.tracking.store import open_store
from fmnist.tracking.versions import register

start, number, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
(start / f"ready-{number}").touch()
while not (start / "go").exists():
    time.sleep(0.01)
client = open_store()

def write(thread):
    run = Run(client, client.create_run("0", tags={"writer": f"{number}.{thread}"}).info.run_id)
    for epoch in (1, 2):
        run.log_epoch(epoch, {names.VAL_LOSS: 1 / epoch})
    run.end("FINISHED")

with ThreadPoolExecutor(threads) as pool:
    list(pool.map(write, range(threads)))
model = client.create_logged_model("0", "model")
client.finalize_logged_model(model.model_id, "READY")
register(client, model.model_id, "one-name", {})
"""


# A process that is killed by the statement of that number while it makes a store.
MAKER = """
import os, sys
from sqlalchemy import Engine, event
from fmnist.tracking.store import open_store

asked = []

def count(*_):
    asked.append(0)
    if len(asked) == int(sys.argv[1]):
        os.kill(os.getpid(), 9)

event.listen(Engine, "after_cursor_execute", count)
open_store()
"""


@pytest.fixture
def address(tmp_path: Path, monkeypatch) -> str:
    """Of a store that is not there yet."""
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    return uri


@pytest.fixture
def client(address: str) -> MlflowClient:
    """Of a new store."""
    return MlflowClient(address)


def test_first_uses_and_96_writers_at_once(tmp_path: Path, address: str) -> None:
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
    said = [writer.communicate(timeout=900)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * PROCESSES, said
    client = MlflowClient(address)
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


def test_a_process_that_is_killed_while_it_makes_the_store(tmp_path: Path, address: str) -> None:
    command = [sys.executable, "-c", MAKER, "40"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "mlflow.db").exists()
    with open_run("train", Train(), {}) as run:
        run.log_epoch(1, {names.VAL_LOSS: 0.5})
    [stored] = MlflowClient(address).search_runs(["0"])
    assert stored.info.artifact_uri.startswith(f"{tmp_path}/mlruns/0/")
    assert {path.name for path in tmp_path.glob("mlflow.db*")} == {"mlflow.db", "mlflow.db-lock"}


def test_a_store_that_another_process_has_locked_is_waited_for(
    tmp_path: Path, client: MlflowClient, capfd
) -> None:
    """For longer than sqlite itself waits."""
    with (
        open_run("train", Train(), {}) as run,
        closing(sqlite3.connect(tmp_path / "mlflow.db")) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        other.execute("BEGIN EXCLUSIVE")
        epoch = pool.submit(run.log_epoch, 1, {names.VAL_LOSS: 0.5})
        said = ""
        while "mlflow.db is locked by another process; waiting for it" not in said:
            assert not epoch.done(), epoch.result()
            said += capfd.readouterr().err
            time.sleep(0.05)
        other.rollback()
        epoch.result()
    [stored] = client.search_runs(["0"])
    assert (stored.info.status, stored.data.metrics[names.VAL_LOSS]) == ("FINISHED", 0.5)
    assert "Traceback" not in said


def test_a_store_that_becomes_read_only(client: MlflowClient, tmp_path: Path, capfd) -> None:
    def work() -> None:
        with open_run("train", Train(), {}) as run:
            run.log_epoch(1, {names.VAL_LOSS: 0.5})
            shut(tmp_path)
            run.log_epoch(2, {names.VAL_LOSS: 0.25})

    try:
        with pytest.raises(WorkFailed, match=r"mlflow\.db cannot be written .* reap --really"):
            work()
    finally:
        shut(tmp_path, again=True)
    [stored] = client.search_runs(["0"])
    assert (stored.info.status, stored.data.metrics[names.VAL_LOSS]) == ("RUNNING", 0.5)
    assert "Traceback" not in capfd.readouterr().err


def shut(folder: Path, again: bool = False) -> None:
    """Let nothing be made in the folder, or let it again; root may where the mode forbids it."""
    if os.geteuid():
        folder.chmod(0o700 if again else 0o500)
        return
    command = ["chattr", "-i" if again else "+i", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs a file system that knows immutable folders")


def test_a_clock_that_is_set_back(client: MlflowClient, monkeypatch) -> None:
    """By an hour while a run is open, and again before it is resumed."""
    real = time.time
    with open_run("train", Train(), {names.TAG_CONFIG_DIGEST: "d"}) as run:
        run.log_epoch(1, {names.VAL_LOSS: 0.5})
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
        run.log_epoch(2, {names.VAL_LOSS: 0.25})
        child = run.nested("fold 1", {}, {names.TAG_KIND: "fold"})
        child.end("FINISHED")
    monkeypatch.setattr(clock, "_latest", [0])  # as in another process
    monkeypatch.setattr(time, "time", lambda: real() - 7200)
    with open_run("train", Train(), {}, resume=run.run_id) as again:
        again.log_epoch(3, {names.VAL_LOSS: 0.125})
    times = [m.timestamp for m in client.get_metric_history(run.run_id, names.VAL_LOSS)]
    begun = client.get_run(run.run_id).info
    assert begun.start_time <= times[0] <= times[1]
    assert begun.start_time <= times[2]
    for stored in client.search_runs(["0"]):
        assert stored.info.start_time <= stored.info.end_time
    done = search.done("train", "d")
    assert search.ended_within(done, 1) == done


def test_a_clock_that_is_set_makes_nobody_dead(client: MlflowClient, monkeypatch) -> None:
    """A process that works on a run is known by when it started, which clocks retell."""
    run_id = client.create_run("0", tags={names.TAG_PROCESS: owner.this_process()}).info.run_id
    real = psutil._pslinux.boot_time
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: real() + 3600)
    assert owner.state(client.get_run(run_id)) == "alive"
    assert find_stale(client, silent_hours=1) == []
    mine = json.loads(owner.this_process())
    client.set_tag(run_id, names.TAG_PROCESS, json.dumps(mine | {"started": "another boot 1"}))
    assert owner.state(client.get_run(run_id)) == "gone"


def test_a_hundred_runs_leave_nothing_behind(
    client: MlflowClient, tmp_path: Path, monkeypatch
) -> None:
    """No temporary file, no open one, no thread."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    held = []
    for number in range(100):
        with open_run("train", Train(seed=number), {}) as run:
            run.log_files({"a.txt": b"A"})
            run.files_of(run.run_id)
        process = psutil.Process()
        held.append((process.num_fds(), process.num_threads()))
        assert list(temporary.iterdir()) == []
    assert max(held[50:]) <= max(held[:50])
    assert {path.name for path in tmp_path.iterdir()} == {
        "mlflow.db", "mlflow.db-lock", "mlruns", "temporary",
    }  # fmt: skip
