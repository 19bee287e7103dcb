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
Doctor = Callable[..., dict[str, str]]
Check = Callable[..., None]


@pytest.fixture
def doctor(tmp_path: Path, small_data_dir: Path, monkeypatch, capsys) -> Doctor:
    """Run doctor in an empty directory on a healthy machine; return the lines and the exit code."""
    for name in [name for name in os.environ if name.endswith("_NUM_THREADS")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FMNIST_DATA_DIR", str(small_data_dir))
    monkeypatch.setenv("FMNIST_JOURNAL_DIR", str(tmp_path / "journal"))
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    def run(*arguments: str) -> dict[str, str]:
        code = main(["doctor", "--cache_dir", str(tmp_path / "cache"), *arguments])
        lines = capsys.readouterr().out.replace("\n" + " " * 22, " ").splitlines()
        results = {line[6:21].strip(): line[:5].strip() + line[21:] for line in lines[:-1]}
        assert "secret" not in str(results)
        return {"exit": str(code), **results}

    return run


@pytest.fixture
def check(doctor: Doctor) -> Check:
    """Check level and message of one line; only `fail` changes the exit code."""

    def check(name: str, level: str, message: str, *arguments: str) -> None:
        results = doctor(*arguments)
        assert results[name].startswith(level)
        assert message in results[name]
        assert results["exit"] == str(int(level == "fail"))

    return check


def test_all_checks_pass_on_a_healthy_machine(
    doctor: Doctor, small_data_dir: Path, tmp_path: Path
) -> None:
    results = doctor()
    assert results["exit"] == "0"
    assert len(results) == 11
    assert not [line for line in results.values() if line.startswith("fail")]
    assert results["python"].startswith("ok 3.1")
    assert results["packages"].startswith("ok")
    assert results["cores"] == "ok 2 of 2 available"
    assert results["device"].startswith("ok CPU")
    assert results["cache"] == f"ok {tmp_path}/cache is writable"
    assert not (tmp_path / "cache").exists()
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
    results = doctor()
    assert results["exit"] == "1"
    assert "expected 3.11 to 3.13 fix: python3 -m venv" in results["python"]
    assert "packages" not in results


def test_missing_and_different_packages(check: Check, monkeypatch) -> None:
    def lost(name: str) -> str:
        if name == "psutil":
            raise module.PackageNotFoundError
        return version(name)

    monkeypatch.setattr(module, "version", lambda name: "0" if name == "psutil" else version(name))
    check("packages", "warn", "psutil 0 instead of")
    monkeypatch.setattr(module, "version", lost)
    check("packages", "fail", "not installed: psutil fix:")


@pytest.mark.parametrize(
    ("tools", "level", "message"),
    [
        (["conda", "uv"], "ok", "conda and uv found"),
        (["uv"], "ok", "uv found, conda not found"),
        ([], "warn", "neither conda nor uv"),
    ],
)
def test_environment_managers(
    check: Check, monkeypatch, tmp_path: Path, tools: list[str], level: str, message: str
) -> None:
    for tool in tools:
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    check("mlflow run", level, message)


def test_gpus_and_limited_cores(check: Check, monkeypatch) -> None:
    monkeypatch.setattr("fmnist.options.devices.gpu_names", lambda: ["NVIDIA H100"])
    check("device", "ok", "NVIDIA H100: whole batches")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    check("cores", "warn", "2 of 8 available fix: raise the CPU limit")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    check("cores", "warn", "fix: unset OMP_NUM_THREADS")


@pytest.mark.parametrize(("free", "level"), [(9e9, "ok"), (3e9, "warn"), (5e8, "fail")])
def test_disk_space(check: Check, monkeypatch, free: float, level: str) -> None:
    usage = namedtuple("Usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(free))
    check("disk", level, "GB free in")


def test_cache_that_is_not_writable(check: Check, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file" / "cache")
    check("cache", "fail", "fix: --cache_dir DIRECTORY", "--cache_dir", folder)


def test_damaged_and_missing_data(
    check: Check, monkeypatch, tmp_path: Path, small_data_dir: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(small_data_dir, broken)
    (broken / f"{idx.TEST_LABELS}.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x05abc"))
    check("data", "fail", idx.TEST_LABELS, "--data_dir", str(broken))

    monkeypatch.delenv("FMNIST_DATA_DIR")
    without_system_directories = replace(sources.FASHION_MNIST, system_folders=())
    monkeypatch.setattr(sources, "FASHION_MNIST", without_system_directories)
    check("data", "warn", "not on this machine")


def test_weights(check: Check, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(weights, "hed_file", lambda backbone: tmp_path)
    check("weights", "warn", "not on this machine: vgg16 (ImageNet)")
    (tmp_path / "models").mkdir()
    for backbone in BACKBONES.values():
        weights.imagenet_file(backbone).write_bytes(b"")
    check("weights", "ok", "")


def test_file_stores(check: Check, monkeypatch, tmp_path: Path) -> None:
    old = tmp_path / "mlruns" / "0"
    old.mkdir(parents=True)
    (old / "meta.yaml").write_text("")
    check("tracking store", "fail", "move it away (mv mlruns mlruns.old)")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    check("tracking store", "fail", "any more fix: expected http")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    check("tracking store", "ok", "")


def test_sqlite_store(check: Check, monkeypatch, tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    MlflowClient(create_store(path)).create_run("0")
    for uri in ("sqlite:///mlflow.db", f"sqlite+pysqlite:///{path}"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        check("tracking store", "ok", f"{path}, 1 runs")
    old = tmp_path / "old.db"
    shutil.copy(path, old)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{old}")
    with closing(sqlite3.connect(old)) as database:
        database.execute("update alembic_version set version_num = 'f00'")
        database.commit()
    check("tracking store", "fail", "f00")
    check("tracking store", "fail", "mlflow db upgrade")
    old.write_bytes(b"this is not a database")
    check("tracking store", "fail", "is not a tracking store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/missing/mlflow.db")
    check("tracking store", "fail", "fix: create the directory")


@pytest.fixture
def server(monkeypatch) -> Iterator[type[BaseHTTPRequestHandler]]:
    """A tracking server that accepts only the user `ada`."""

    class Handler(BaseHTTPRequestHandler):
        mlflow_version = version("mlflow")

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


def test_server(check: Check, server, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a secret guess")
    check("tracking store", "fail", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "lovelace")
    monkeypatch.setattr("fmnist.tracking.store.open_store", lambda: None)
    check("tracking store", "ok", "http")
    server.mlflow_version = "2.1.0"
    check("tracking store", "warn", "2.1.0")
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")  # MLflow may have it from its credentials file
    check("tracking store", "ok", "http")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("http://me:secret@127.0.0.1:9", "cannot be reached"),
        ("postgresql+psycopg://me:secret@127.0.0.1:9/db", "needs the package psycopg"),
        ("postgresql+psycopg2://me:secret@127.0.0.1:9/db", "Connection refused"),
    ],
)
def test_unreachable_store(check: Check, monkeypatch, uri: str, message: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    check("tracking store", "fail", message)
