"""Only runs whose process has ended count as orphaned."""

import json
import subprocess
import sys

import psutil
import pytest
from mlflow import MlflowClient

from fmnist import names
from fmnist.options import Train
from fmnist.system.identity import process_state, this_process
from fmnist.tracking.orphans import find_orphans, reap
from fmnist.tracking.run import open_run
from fmnist.tracking.start import start_run
from fmnist.tracking.store import open_store

pytestmark = pytest.mark.faults


def test_running_ended_and_remote_processes(client: MlflowClient, capsys) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    this = json.loads(this_process())
    owners = {
        "running": this_process(),
        "ended": json.dumps(this | {"pid": ended.pid, "started": "0"}),
        "id reused": json.dumps(this | {"started": psutil.boot_time() - 100}),
        "remote": json.dumps(this | {"host": "another"}),
        "another container": json.dumps(this | {"namespace": 1, "pid": ended.pid}),
        "earlier version": json.dumps({k: v for k, v in this.items() if k != "namespace"}),
        "unknown": "not ours",
    }
    runs = {
        name: client.create_run("0", tags={names.TAG_PROCESS: text}).info.run_id
        for name, text in owners.items()
    }

    def orphans(silent_hours: float) -> set[str]:
        found = {run.info.run_id for run, _ in find_orphans(client, ["0"], silent_hours)}
        return {name for name, run_id in runs.items() if run_id in found}

    assert orphans(silent_hours=1) == {"ended", "id reused"}
    assert orphans(silent_hours=0) == set(owners) - {"running"}
    reap(client, silent_hours=1, really=True)
    assert "2 orphaned runs" in capsys.readouterr().out
    assert client.get_run(runs["ended"]).info.status == "KILLED"
    assert orphans(silent_hours=1) == set()


def test_recent_metric_of_a_remote_run_counts_without_its_history(
    client: MlflowClient, statements: list[str]
) -> None:
    this = json.loads(this_process())
    remote = {names.TAG_PROCESS: json.dumps(this | {"host": "another"})}
    run_id = client.create_run("0", start_time=1, tags=remote).info.run_id
    assert len(list(find_orphans(client, ["0"], silent_hours=1))) == 1
    for step in range(3):
        client.log_metric(run_id, names.VAL_LOSS, 0.5, step=step)
    store = open_store()
    statements.clear()
    assert list(find_orphans(store, ["0"], silent_hours=1)) == []
    assert statements
    assert not any("FROM metrics" in statement for statement in statements)


def test_process_is_recognized_after_the_clock_was_set(client: MlflowClient, monkeypatch) -> None:
    run_id = client.create_run("0", tags={names.TAG_PROCESS: this_process()}).info.run_id
    real = psutil._pslinux.boot_time
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: real() + 3600)
    assert process_state(client.get_run(run_id).data.tags[names.TAG_PROCESS]) == "running"
    assert list(find_orphans(client, ["0"], silent_hours=1)) == []
    this = json.loads(this_process())
    client.set_tag(run_id, names.TAG_PROCESS, json.dumps(this | {"started": "another boot 1"}))
    assert process_state(client.get_run(run_id).data.tags[names.TAG_PROCESS]) == "ended"


def test_next_run_ends_those_of_killed_processes(client: MlflowClient) -> None:
    """Also if a process is killed before it has logged anything."""
    this = json.loads(this_process())
    ended = {names.TAG_KIND: "train", names.TAG_PROCESS: json.dumps(this | {"started": "0"})}
    killed = client.create_run("0", tags=ended).info.run_id
    resumed = client.create_run("0", tags=ended).info.run_id
    running = client.create_run("0", tags={names.TAG_PROCESS: this_process()}).info.run_id
    with open_run("train", Train(), {}, resumed) as run:
        own = json.loads(client.get_run(run.run_id).data.tags[names.TAG_PROCESS])
        assert own == this
        assert client.get_run(killed).info.status == "KILLED"
        assert "process ended" in client.get_run(killed).data.tags[names.TAG_ERROR]
        assert client.get_run(running).info.status == "RUNNING"
    assert client.get_run(resumed).info.status == "FINISHED"


def test_new_run_is_recognized_from_its_creation_on(client: MlflowClient) -> None:
    stored = start_run(client, "train", None, 1, "lenet5")
    assert stored.data.tags[names.TAG_KIND] == "train"
    assert process_state(stored.data.tags[names.TAG_PROCESS]) == "running"
