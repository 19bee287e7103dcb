"""The team server with PostgreSQL and users: access is restricted and no secret is exposed."""

import base64
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from fmnist import names
from fmnist.data import idx
from fmnist.options import Train
from tests.helpers.logged_runs import evaluation_of, log_train, store_at
from tests.helpers.servers import DATABASE_PASSWORD, free_port, run_server
from tests.helpers.workspace import PROJECT, TIMEOUT_SECONDS, Workspace

pytestmark = pytest.mark.slow

SERVER, PROBE = PROJECT / "deploy" / "server.py", PROJECT / "deploy" / "probe.py"
SECRETS = {
    "DATABASE": DATABASE_PASSWORD,
    "PASSWORD": "admin-secret-9c4",
    "KEY": "session-secret-0123456789-abcdefghij",
    "ADA": "ada-secret-5e2-lovelace",
}


@contextmanager
def team_server(folder: Path, database: str) -> Iterator[str]:
    """The address of deploy/server.py, started with secrets from files."""
    port = free_port()
    settings = {
        "HOSTS": f"127.0.0.1:{port}",
        "ORIGINS": "https://mlflow.example",
        "ARTIFACTS": str(folder / "artifacts"),
        "LISTEN": f"127.0.0.1:{port}",
    }
    for name, secret in (SECRETS | {"DATABASE": database}).items():
        path = folder / f"{name.lower()}.secret"
        path.touch(0o600)
        path.write_text(secret)
        settings[f"{name}_FILE"] = str(path)
    environment = {f"FMNIST_SERVER_{name}": text for name, text in settings.items()}
    command = [sys.executable, str(SERVER)]
    address = f"http://127.0.0.1:{port}"
    with run_server(command, folder, f"{address}/health", environment):
        yield address


@pytest.mark.faults
def test_team_works_on_its_server(
    workspace: Workspace, database: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch
) -> None:
    folder = tmp_path_factory.mktemp("server")
    printed: list[str] = []

    def run(entry: str, **options: object) -> int:
        done = workspace.execute(workspace.script(entry, **options))
        printed.extend((done.stdout, done.stderr))
        return done.returncode

    with team_server(folder, database) as address:
        for user, password in (("", ""), ("ada", SECRETS["ADA"])):
            workspace.environment = {"MLFLOW_TRACKING_URI": address}
            if user:
                workspace.environment["MLFLOW_TRACKING_USERNAME"] = user
                workspace.environment["MLFLOW_TRACKING_PASSWORD"] = password
            assert run("train", epochs=1) == 2  # no user, and an unknown user
            assert f"denies access to {user or 'no user name'} (HTTP 401)" in printed[-1]
            assert "epoch 1" not in printed[-2]

        for user in ("ada", "bob"):
            create_user(address, user, SECRETS["ADA"])
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRETS["PASSWORD"])
        assert workspace.runs() == []
        assert run("train", epochs=1) == 2  # the default experiment is read-only
        assert "ada has no write permission for this experiment" in printed[-1]
        assert "epoch 1" not in printed[-2]

        workspace.environment["MLFLOW_EXPERIMENT_NAME"] = "of ada"
        workspace.environment["XDG_CACHE_HOME"] = str(workspace.folder)
        assert run("train", epochs=1, validation_fraction=0.3, register_as="adas") == 0, printed[-1]
        assert run("crossval", epochs=1, folds=2) == 0, printed[-1]
        assert run("promote", register_as="adas") == 0, printed[-1]
        log_second_model(workspace)
        output = workspace.folder / "out"
        assert run("compare", experiments="of ada", output_dir=output) == 0, printed[-1]
        assert (output / names.COMPARISON_PAGE).exists()
        runs = workspace.runs()
        kinds = sorted(run.data.tags[names.TAG_KIND] for run in runs)
        assert kinds == ["compare", "crossval", "fold", "fold", "promote", "train", "train"]
        assert {run.info.status for run in runs} == {"FINISHED"}
        champion = workspace.client.get_model_version_by_alias("adas", "champion")
        assert "of 180)" in champion.description

        assert_bob_is_rejected(workspace)
        assert workspace.client.get_model_version_by_alias("adas", "champion") == champion

        # The server's process and its children: no secret in a command line, no job runner.
        commands = [" ".join(p.cmdline()) for p in psutil.process_iter() if _works_in(p, folder)]
        assert any("--app-name basic-auth" in command for command in commands)
        assert not [command for command in commands if "job" in command]

        workspace.environment |= {"PYTHONPATH": ""}
        probe = [sys.executable, "-I", str(PROBE), address, "--user", "ada"]
        done = workspace.execute([*probe, "--password_file", str(folder / "ada.secret")])
        assert (done.returncode, "0 of 16 open" in done.stdout) == (0, True), done.stdout

    written = [str(run.to_dictionary()) for run in runs] + [str(champion), *printed, *commands]
    files = [
        p for directory in (workspace.folder, folder) for p in directory.rglob("*") if p.is_file()
    ]
    assert len([path for path in files if "artifacts" in path.parts]) > 20
    for secret in SECRETS.values():
        assert not [text for text in written if secret in text]
        leaks = [path for path in files if secret.encode() in path.read_bytes()]
        assert all(path.suffix == ".secret" for path in leaks), leaks


def log_second_model(workspace: Workspace) -> None:
    """Log a run with made-up predictions, so that there are two models to compare."""
    labels = idx.read_labels(workspace.data_dir / f"{idx.TEST_LABELS}.gz")
    [run] = workspace.runs("train")
    digest = run.data.tags[names.TAG_DATA_DIGEST]
    with pytest.MonkeyPatch.context() as patch, store_at(workspace.store):
        patch.setenv("MLFLOW_EXPERIMENT_NAME", "of ada")
        log_train(Train(dropout=0.4), evaluation_of(labels, 100), data=digest)


def assert_bob_is_rejected(workspace: Workspace) -> None:
    """He may not use the registered name of another user; his run ends FAILED."""
    bob = Workspace(workspace.folder, workspace.data_dir, dict(workspace.environment))
    bob.environment |= {"MLFLOW_TRACKING_USERNAME": "bob", "MLFLOW_EXPERIMENT_NAME": "of bob"}
    done = bob.execute(bob.script("train", epochs=1, train_size=200, register_as="adas"))
    assert done.returncode == 1, done.stderr
    [last] = [line for line in done.stderr.splitlines() if line.startswith("train: failed: ")]
    assert "denies bob this request" in last
    assert "registered-models" in last
    assert "Traceback" not in done.stderr
    [run] = [run for run in workspace.runs() if run.data.params.get("train_size") == "200"]
    assert (run.info.status, "403" in run.data.tags[names.TAG_ERROR]) == ("FAILED", True)


def create_user(address: str, name: str, password: str) -> None:
    """As docs/server.md does it with curl."""
    pair = base64.b64encode(f"admin:{SECRETS['PASSWORD']}".encode()).decode()
    body = json.dumps({"username": name, "password": password}).encode()
    headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/api/2.0/mlflow/users/create", body, headers)
    urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()


def _works_in(process: psutil.Process, folder: Path) -> bool:
    """Whether the folder is the working directory of the process."""
    try:
        return process.cwd() == str(folder)
    except psutil.Error:
        return False


def test_probe_finds_the_gaps_of_a_plain_server(workspace: Workspace, server: str) -> None:
    probe = [sys.executable, "-I", str(PROBE)]
    done = workspace.execute([*probe, server])
    assert done.returncode == 1, done.stderr
    for line in (
        "OPEN  runs without a user refused: HTTP 200",
        "OPEN  Host header 10.evil.example refused: HTTP 200",
        "ok    Host header evil.example refused: HTTP 403",
        "fix: start the server with --app-name basic-auth",
    ):
        assert line in done.stdout
    done = workspace.execute([*probe, "http://127.0.0.1:9"])
    assert (done.returncode, "does not answer" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"HOSTS": ""}, "FMNIST_SERVER_HOSTS is not set"),
        ({"HOSTS": "*.example"}, "expected exact names, got a pattern"),
        ({"ORIGINS": "*"}, "expected exact names, got a pattern"),
        ({"KEY_FILE": "/no/such/file"}, "/no/such/file: No such file"),
        ({"KEY_FILE": "short"}, "expected at least 32 characters, got 5"),
        ({"PASSWORD_FILE": "open"}, "every user can access"),
        ({"DATABASE_FILE": "long"}, "expected postgresql://"),
    ],
)
def test_insecure_settings_are_rejected(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    for name, text, mode in (
        ("long", "s" * 40, 0o600),
        ("short", "s" * 5, 0o600),
        ("open", "s" * 40, 0o644),
        ("data", "postgresql://a:b@c/d", 0o600),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    settings = {
        "HOSTS": "mlflow.example",
        "ORIGINS": "https://mlflow.example",
        "ARTIFACTS": str(tmp_path),
        "DATABASE_FILE": "data",
        "PASSWORD_FILE": "long",
        "KEY_FILE": "long",
    } | changes
    environment = {f"FMNIST_SERVER_{name}": text for name, text in settings.items()}
    done = Workspace(tmp_path, tmp_path, environment).execute([sys.executable, "-I", str(SERVER)])
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert "sssss" not in done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "server.md").read_text()
    [unit] = re.findall(r"```ini\n(.*?)```", page, flags=re.DOTALL)
    unit = unit.replace("/opt/mlflow/bin/python", sys.executable)
    path = tmp_path / "mlflow.service"
    path.write_text(unit.replace("User=mlflow", "User=daemon"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert set(re.findall(r"FMNIST_SERVER_(\w+)=", unit)) <= set(
        re.findall(r"FMNIST_SERVER_(\w+)  ", SERVER.read_text())
    )


def test_container_can_write_only_artifacts() -> None:
    services = yaml.safe_load((PROJECT / "deploy" / "compose.yaml").read_text())["services"]
    server = services["server"]
    assert (server["read_only"], server["cap_drop"], server["user"]) == (
        True,
        ["ALL"],
        "10001:10001",
    )
    assert server["volumes"] == ["artifacts:/artifacts"]
    assert server["ports"] == ["127.0.0.1:5000:5000"]
    assert "ports" not in services["database"]
    named = {name for name in server["environment"] if name.endswith("_FILE")}
    for name in named:
        assert Path(server["environment"][name]).name in server["secrets"]
    pins = (PROJECT / "pyproject.toml").read_text()
    for pin in re.findall(r"[\w-]+==[\d.]+", (PROJECT / "deploy" / "Dockerfile").read_text()):
        assert f'"{pin}"' in pins
