"""Real commands on a disk that is full, or that cannot be written."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fmnist import names
from tests.entrypoints.conftest import Bench

pytestmark = [pytest.mark.faults, pytest.mark.slow]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_becomes_full_under_the_store(disk: Path, bench: Bench) -> None:
    full = Bench(disk, bench.data_dir, {"TMPDIR": str(bench.folder)})
    said = bench.folder / "output.txt"
    filler = disk / "filler"
    long = full.python("train", epochs=5000, train_size=200)
    environment = full.environment_of_commands()
    with said.open("wb") as output:
        process = subprocess.Popen(long, cwd=disk, env=environment, stdout=output, stderr=output)
    bench.wait_for(process, "epoch 3/")
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert process.wait(timeout=120) == 1
    last = said.read_text().rstrip().splitlines()[-1]
    assert last.startswith("train: failed: no room is left for the tracking store sqlite:")
    assert f"bytes free in {disk}" in last
    assert "; make some and run again; what was logged before is kept" in last
    assert "Traceback" not in said.read_text()

    filler.unlink()
    [run] = full.runs()
    assert run.info.status in ("RUNNING", "FAILED")  # the end is short, and may just fit
    kept = len(full.client.get_metric_history(run.info.run_id, names.VAL_LOSS))
    assert kept >= 2
    reap = [sys.executable, "-m", "fmnist", "reap", "--really"]
    assert full.finish(reap).returncode == 0
    [run] = full.runs()
    assert run.info.status in ("KILLED", "FAILED")
    assert len(full.client.get_metric_history(run.info.run_id, names.VAL_LOSS)) == kept
    again = full.finish(full.python("train", epochs=1, train_size=200))
    assert again.returncode == 0, again.stderr
    assert [run.info.status for run in full.runs()] == ["FINISHED", run.info.status]


def test_a_folder_that_cannot_be_written(disk: Path, bench: Bench) -> None:
    """Told before TensorFlow is imported, and nothing is left there."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    closed = Bench(disk, bench.data_dir, {"TMPDIR": str(bench.folder)})
    for entry in ("train", "crossval", "eda"):
        done = closed.finish(closed.python(entry))
        assert done.returncode == 2, done.stderr
        [line] = done.stderr.splitlines()
        assert f"{disk}: wanted a place for the tracking store mlflow.db" in line
        assert "cannot be written; start in another folder" in line
    assert os.listdir(disk) == []
