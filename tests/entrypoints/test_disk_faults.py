"""Commands on a full disk and on a read-only one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fmnist import names
from tests.helpers.workspace import Workspace

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_disk_fills_up_under_the_store(disk: Path, workspace: Workspace) -> None:
    full = Workspace(disk, workspace.data_dir, {"TMPDIR": str(workspace.folder)})
    filler = disk / "filler"
    long = full.script("train", epochs=5000, train_size=200)
    environment = full.command_environment()
    with workspace.output.open("wb") as output:
        process = subprocess.Popen(long, cwd=disk, env=environment, stdout=output, stderr=output)
    workspace.wait_for_output(process, "epoch 3/")
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    printed = workspace.wait(process, 1)
    last = printed.rstrip().splitlines()[-1]
    assert last.startswith("train: failed: the disk of the tracking store sqlite:")
    assert f"bytes free in {disk}" in last
    assert "reap --really" in last
    assert "Traceback" not in printed

    filler.unlink()
    [run] = full.runs()
    assert run.info.status in ("RUNNING", "FAILED")  # the few bytes of the status may still fit
    kept = len(full.client.get_metric_history(run.info.run_id, names.VAL_LOSS))
    assert kept >= 2
    reap = [sys.executable, "-m", "fmnist", "reap", "--really"]
    full.execute(reap)
    [run] = full.runs()
    assert run.info.status in ("KILLED", "FAILED")
    assert len(full.client.get_metric_history(run.info.run_id, names.VAL_LOSS)) == kept
    full.execute(full.script("train", epochs=1, train_size=200))
    assert [run.info.status for run in full.runs()] == ["FINISHED", run.info.status]


def test_read_only_directory(disk: Path, workspace: Workspace) -> None:
    """One message; the directory stays empty."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    read_only = Workspace(disk, workspace.data_dir, {"TMPDIR": str(workspace.folder)})
    for entry in ("train", "crossval", "eda"):
        [line] = read_only.execute(read_only.script(entry), 2).stderr.splitlines()
        assert f"{disk}: cannot be written; the tracking store is " in line
    assert os.listdir(disk) == []
