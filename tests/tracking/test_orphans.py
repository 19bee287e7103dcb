"""Only runs whose process is gone count as stale."""

import json
import socket
import subprocess
import sys

import psutil
import pytest
from mlflow import MlflowClient

from fmnist import names
from fmnist.tracking.orphans import find_stale
from fmnist.tracking.owner import this_process

pytestmark = pytest.mark.faults


def test_living_gone_and_far_processes(tmp_path) -> None:
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine = json.loads(this_process())
    owners = {
        "alive": this_process(),
        "gone": json.dumps({"host": socket.gethostname(), "pid": ended.pid, "started": 0.0}),
        "number taken over": json.dumps(mine | {"started": psutil.boot_time() - 100}),
        "far": json.dumps(mine | {"host": "another"}),
        "unknown": "not ours",
    }
    runs = {
        name: client.create_run("0", tags={names.TAG_PROCESS: text}).info.run_id
        for name, text in owners.items()
    }

    def stale(silent_hours: float) -> set[str]:
        found = {each.run_id for each in find_stale(client, silent_hours)}
        return {name for name, run_id in runs.items() if run_id in found}

    assert stale(silent_hours=1) == {"gone", "number taken over"}
    assert stale(silent_hours=0) == {"gone", "number taken over", "far", "unknown"}
    client.set_terminated(runs["gone"])
    assert stale(silent_hours=1) == {"number taken over"}
