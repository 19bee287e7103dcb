"""Every check of `python -m fmnist doctor`, passing and failing."""

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
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import joblib
import pytest
from mlflow import MlflowClient

from fmnist import doctor as module
from fmnist.__main__ import main
from fmnist.data import idx, sources
from fmnist.models import weights
from fmnist.models.backbones import BACKBONES
from tests.helpers.stores import create_store

PROJECT = Path(__file__).parents[1]
MLFLOW = version("mlflow")
Doctor = Callable[..., tuple[int, dict[str, str]]]


@pytest.fixture
def doctor(tmp_path: Path, small_data_dir: Path, monkeypatch, capsys) -> Doctor:
    """Run doctor in an empty directory on a healthy machine; return exit code and results."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.endswith("_NUM_THREADS")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("FMNIST_DATA_DIR", str(small_data_dir))
    monkeypatch.setenv("FMNIST_JOURNAL_DIR", str(tmp_path / "journal"))
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    def run(*arguments: str) -> tuple[int, dict[str, str]]:
        code = main(["doctor", "--cache_dir", str(tmp_path / "cache"), *arguments])
        lines = capsys.readouterr().out.replace("\n" + " " * 22, " ").splitlines()
        return code, {line[6:21].strip(): line[:5].strip() + line[21:] for line in lines[:-1]}

    return run


def test_all_checks_pass_on_a_healthy_machine(
    doctor: Doctor, small_data_dir: Path, tmp_path: Path
) -> None:
    code, results = doctor()
    assert code == 0
    assert len(results) == 10
    assert not [line for line in results.values() if line.startswith("fail")]
    assert results["python"].startswith("ok 3.1")
    assert results["packages"].startswith("ok")
    assert results["cores"] == "ok 2 of 2 available"
    assert results["data"] == (
        f"ok 600 training and 200 test images of 10 classes, in {small_data_dir}"
    )
    assert results["tracking store"] == f"ok {tmp_path}/mlflow.db will be created by the first run"


def test_works_without_installed_packages(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(PROJECT), "HOME": str(tmp_path), "PATH": ""}
    command = [sys.executable, "-S", "-m", "fmnist", "doctor"]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "fail  packages        not installed: filelock" in done.stdout
    assert "fix: python3 -m venv .venv" in done.stdout


def test_unsupported_python(doctor: Doctor, monkeypatch) -> None:
    Version = namedtuple("Version", "major minor micro")
    monkeypatch.setattr(module.sys, "version_info", Version(3, 9, 1))
    code, results = doctor()
    assert code == 1
    assert "expected 3.11 to 3.13 fix: python3 -m venv" in results["python"]
    assert "packages" not in results


def test_missing_and_different_packages(doctor: Doctor, monkeypatch) -> None:
    monkeypatch.setattr(module, "version", lambda name: "0" if name == "psutil" else version(name))
    code, results = doctor()
    assert (code, results["packages"].startswith("warn psutil 0 instead of")) == (0, True)

    def lost(name: str) -> str:
        if name == "psutil":
            raise module.PackageNotFoundError
        return version(name)

    monkeypatch.setattr(module, "version", lost)
    code, results = doctor()
    assert (code, results["packages"].startswith("fail not installed: psutil fix:")) == (1, True)


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        (["conda", "uv"], "ok conda and uv found"),
        (["uv"], "ok uv found, conda not found"),
        ([], "warn neither conda nor uv"),
    ],
)
def test_environment_managers(
    doctor: Doctor, monkeypatch, tmp_path: Path, tools: list[str], expected: str
) -> None:
    for tool in tools:
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor()[1]["mlflow run"].startswith(expected)


def test_device(doctor: Doctor, monkeypatch) -> None:
    assert doctor()[1]["device"].startswith("ok CPU")
    monkeypatch.setattr("fmnist.options.devices.gpu_names", lambda: ["NVIDIA H100"])
    assert doctor()[1]["device"].startswith("ok NVIDIA H100: whole batches")


def test_limited_cores(doctor: Doctor, monkeypatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert doctor()[1]["cores"].startswith("warn 2 of 8 available fix: raise the CPU limit")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "fix: unset OMP_NUM_THREADS" in doctor()[1]["cores"]


@pytest.mark.parametrize(
    ("free", "level", "code"), [(9e9, "ok", 0), (3e9, "warn", 0), (5e8, "fail", 1)]
)
def test_disk_space(doctor: Doctor, monkeypatch, free: float, level: str, code: int) -> None:
    usage = namedtuple("Usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(free))
    actual, results = doctor()
    assert (actual, results["disk"].split()[0]) == (code, level)


def test_cache_that_is_not_writable(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, results = doctor("--cache_dir", str(tmp_path / "file" / "cache"))
    assert code == 1
    assert "fix: --cache_dir DIRECTORY" in results["cache"]
    assert doctor()[1]["cache"] == f"ok {tmp_path}/cache is writable"
    assert not (tmp_path / "cache").exists()


def test_damaged_and_missing_data(
    doctor: Doctor, monkeypatch, tmp_path: Path, small_data_dir: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(small_data_dir, broken)
    (broken / f"{idx.TEST_LABELS}.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x05abc"))
    code, results = doctor("--data_dir", str(broken))
    assert (code, results["data"][:5]) == (1, "fail ")
    assert idx.TEST_LABELS in results["data"]

    monkeypatch.delenv("FMNIST_DATA_DIR")
    without_system_directories = replace(sources.FASHION_MNIST, system_folders=())
    monkeypatch.setattr(sources, "FASHION_MNIST", without_system_directories)
    code, results = doctor()
    assert (code, results["data"].startswith("warn not on this machine")) == (0, True)


def test_weights(doctor: Doctor, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(weights, "hed_file", lambda backbone: tmp_path)
    assert doctor()[1]["weights"].startswith("warn not on this machine: vgg16 (ImageNet)")
    (tmp_path / "models").mkdir()
    for backbone in BACKBONES.values():
        weights.imagenet_file(backbone).write_bytes(b"")
    assert doctor()[1]["weights"].startswith("ok")


def test_old_file_store(doctor: Doctor, monkeypatch, tmp_path: Path) -> None:
    old = tmp_path / "mlruns" / "0"
    old.mkdir(parents=True)
    (old / "meta.yaml").write_text("")
    code, results = doctor()
    assert (code, "move it away (mv mlruns mlruns.old)" in results["tracking store"]) == (
        1,
        True,
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert doctor()[0] == 0


def test_sqlite_store(doctor: Doctor, monkeypatch, tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    MlflowClient(create_store(path)).create_run("0")
    for uri in ("sqlite:///mlflow.db", f"sqlite+pysqlite:///{path}"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert doctor()[1]["tracking store"] == f"ok {path}, 1 runs"
    old = tmp_path / "old.db"
    shutil.copy(path, old)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{old}")
    with closing(sqlite3.connect(old)) as database:
        database.execute("update alembic_version set version_num = 'f00'")
        database.commit()
    code, results = doctor()
    assert code == 1
    assert "f00" in results["tracking store"]
    assert "mlflow db upgrade" in results["tracking store"]
    old.write_bytes(b"this is not a database")
    code, results = doctor()
    assert (code, "is not a tracking store" in results["tracking store"]) == (1, True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/missing/mlflow.db")
    code, results = doctor()
    assert (code, "fix: create the directory" in results["tracking store"]) == (1, True)


def test_file_store(doctor: Doctor, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    code, results = doctor()
    assert (code, "any more fix: expected http" in results["tracking store"]) == (
        1,
        True,
    )


@pytest.fixture
def server(monkeypatch) -> Iterator[type[BaseHTTPRequestHandler]]:
    """A tracking server that accepts only the user `ada`."""

    class Handler(BaseHTTPRequestHandler):
        mlflow_version = MLFLOW

        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Basic YWRhOmxvdmVsYWNl"
            self.send_response(200 if known or self.path == "/health" else 401)
            self.end_headers()
            answer = self.mlflow_version if self.path == "/version" else "OK"
            self.wfile.write(answer.encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        yield Handler
        server.shutdown()


def test_server(doctor: Doctor, server, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "guess")
    code, results = doctor()
    assert (code, "ada" in results["tracking store"]) == (1, True), results["tracking store"]
    assert "guess" not in str(results)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "lovelace")
    monkeypatch.setattr("fmnist.tracking.store.open_store", lambda: None)
    code, results = doctor()
    assert (code, results["tracking store"][:3]) == (0, "ok ")
    server.mlflow_version = "2.1.0"
    code, results = doctor()
    assert (code, results["tracking store"].startswith("warn")) == (0, True)
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")  # MLflow may have it from its credentials file
    code, results = doctor()
    assert (code, results["tracking store"][:3]) == (0, "ok ")


def test_unreachable_server(doctor: Doctor, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    code, results = doctor()
    assert (code, "cannot be reached" in results["tracking store"]) == (1, True)
    assert "secret" not in str(results)


def test_database_driver(doctor: Doctor, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg://me:secret@127.0.0.1:9/db")
    code, results = doctor()
    assert (code, "needs the package psycopg" in results["tracking store"]) == (1, True)
    assert "secret" not in str(results)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg2://me:secret@127.0.0.1:9/db")
    code, results = doctor()
    assert (code, "Connection refused" in results["tracking store"]) == (1, True)
    assert "secret" not in str(results)
