"""The team server with PostgreSQL and users: access is restricted and no secret is exposed."""

import base64
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import psycopg2
import pytest
import yaml
from werkzeug.security import generate_password_hash

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
    environment["MLFLOW_WORKERS"] = "1"  # each of the default four imports MLflow
    command = [sys.executable, str(SERVER)]
    address = f"http://127.0.0.1:{port}"
    with run_server(command, folder, f"{address}/health", environment):
        yield address


@pytest.mark.faults
def test_team_works_on_its_server(
    workspace: Workspace,
    database: str,
    call: Callable,
    tmp_path_factory: pytest.TempPathFactory,
    tensorflow: None,
    monkeypatch,
) -> None:
    folder = tmp_path_factory.mktemp("server")
    printed: list[str] = []

    def run(user: str, entry: str, code: int = 0, **options: object) -> str:
        """Run a command as this user, and return its messages."""
        with monkeypatch.context() as patch:
            if user:
                patch.setenv("MLFLOW_TRACKING_USERNAME", user)
                patch.setenv("MLFLOW_TRACKING_PASSWORD", SECRETS["ADA"])
            printed.extend(call(entry, code, **options))
        return printed[-1]

    for name in ("XDG_CACHE_HOME", names.JOURNAL_DIR, names.CHECKPOINT_DIR):
        monkeypatch.setenv(name, str(workspace.folder / name))
    monkeypatch.setenv(names.FLUSH_TIMEOUT, "600")  # also on a machine that is busy
    with team_server(folder, database) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        for user in ("", "ada"):  # no user, and an unknown user
            denied = run(user, "train", 2, epochs=1)
            assert f"denies access to {user or 'no user name'} (HTTP 401)" in denied
        create_users(address, database)
        denied = run("ada", "train", 2, epochs=1)  # the default experiment is read-only
        assert "ada has no write permission for this experiment" in denied
        assert not [text for text in printed if "epoch 1" in text]

        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRETS["PASSWORD"])
        workspace.environment["MLFLOW_TRACKING_URI"] = address
        assert workspace.runs() == []

        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "of ada")
        run("ada", "train", epochs=1, validation_fraction=0.3, register_as="adas")
        run("ada", "crossval", epochs=1, folds=2, workers=1)
        run("ada", "promote", register_as="adas")
        champion = workspace.client.get_model_version_by_alias("adas", "champion")
        assert "of 180)" in champion.description
        log_second_model(workspace)
        output = workspace.folder / "out"
        run("ada", "compare", experiments="of ada", output_dir=output)
        assert (output / names.COMPARISON_PAGE).exists()
        runs = workspace.runs()
        kinds = sorted(run.data.tags[names.TAG_KIND] for run in runs)
        assert kinds == ["compare", "crossval", "fold", "fold", "promote", "train", "train"]
        assert {run.info.status for run in runs} == {"FINISHED"}

        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "of bob")
        denied = run("bob", "train", 1, epochs=1, train_size=200, register_as="adas")
        assert_bob_is_rejected(workspace, denied)
        assert workspace.client.get_model_version_by_alias("adas", "champion") == champion

        # The server's process and its children: no secret in a command line, no job runner.
        commands = [" ".join(p.cmdline()) for p in psutil.process_iter() if _works_in(p, folder)]
        assert any("--app-name basic-auth" in command for command in commands)
        assert not [command for command in commands if "job" in command]

        workspace.environment["PYTHONPATH"] = ""
        probe = [sys.executable, "-I", str(PROBE), address, "--user", "ada"]
        done = workspace.execute([*probe, "--password_file", str(folder / "ada.secret")])
        assert "0 of 16 open" in done.stdout

    written = [str(run.to_dictionary()) for run in runs] + [str(champion), *printed, *commands]
    assert_no_secret(written, workspace.folder, folder)


def assert_no_secret(written: list[str], *folders: Path) -> None:
    """Neither texts nor files contain one, except the files that the server reads."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len([path for path in files if "artifacts" in path.parts]) > 20
    for secret in SECRETS.values():
        assert not [text for text in written if secret in text]
        leaks = [path for path in files if secret.encode() in path.read_bytes()]
        assert all(path.suffix == ".secret" for path in leaks), leaks


def assert_bob_is_rejected(workspace: Workspace, printed: str) -> None:
    """He may not use the registered name of another user; his run ends FAILED."""
    [last] = [line for line in printed.splitlines() if line.startswith("train: failed: ")]
    assert "denies bob this request" in last
    assert "model-versions/create" in last
    assert "Traceback" not in printed
    [run] = [run for run in workspace.runs() if run.data.params.get("train_size") == "200"]
    assert (run.info.status, "403" in run.data.tags[names.TAG_ERROR]) == ("FAILED", True)


def log_second_model(workspace: Workspace) -> None:
    """Log a run with made-up predictions, so that there are two models to compare."""
    labels = idx.read_labels(workspace.data_dir / f"{idx.TEST_LABELS}.gz")
    [run] = workspace.runs("train")
    digest = run.data.tags[names.TAG_DATA_DIGEST]
    with store_at(workspace.store):
        log_train(Train(dropout=0.4), evaluation_of(labels, 100), data=digest)


def create_users(address: str, database: str) -> None:
    """As docs/server.md does it with curl."""
    pair = base64.b64encode(f"admin:{SECRETS['PASSWORD']}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}
    for name in ("ada", "bob"):
        body = json.dumps({"username": name, "password": SECRETS["ADA"]}).encode()
        request = urllib.request.Request(f"{address}/api/2.0/mlflow/users/create", body, headers)
        urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS).close()
    # The server hashes the password of every request, which takes a tenth of a second.
    passwords = {"admin": SECRETS["PASSWORD"], "ada": SECRETS["ADA"], "bob": SECRETS["ADA"]}
    with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
        for name, password in passwords.items():
            fast = generate_password_hash(password, "pbkdf2:sha256:1")
            cursor.execute("UPDATE users SET password_hash = %s WHERE username = %s", (fast, name))
        connection.commit()


def _works_in(process: psutil.Process, folder: Path) -> bool:
    """Whether the folder is the working directory of the process."""
    try:
        return process.cwd() == str(folder)
    except psutil.Error:
        return False


def test_probe_finds_the_gaps_of_a_plain_server(workspace: Workspace, server: str) -> None:
    probe = [sys.executable, "-I", str(PROBE)]
    done = workspace.execute([*probe, server], 1)
    for line in (
        "OPEN  runs without a user refused: HTTP 200",
        "OPEN  Host header 10.evil.example refused: HTTP 200",
        "ok    Host header evil.example refused: HTTP 403",
        "fix: start the server with --app-name basic-auth",
    ):
        assert line in done.stdout
    done = workspace.execute([*probe, "http://127.0.0.1:9"], 2)
    assert "does not answer" in done.stderr


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
    command = [sys.executable, "-I", str(SERVER)]
    done = Workspace(tmp_path, tmp_path, environment).execute(command, 2)
    assert message in done.stderr
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
    restricted = {"read_only": True, "cap_drop": ["ALL"], "user": "10001:10001"}
    assert restricted.items() <= server.items()
    assert server["volumes"] == ["artifacts:/artifacts"]
    assert server["ports"] == ["127.0.0.1:5000:5000"]
    assert "ports" not in services["database"]
    named = {name for name in server["environment"] if name.endswith("_FILE")}
    for name in named:
        assert Path(server["environment"][name]).name in server["secrets"]
    pins = (PROJECT / "pyproject.toml").read_text()
    for pin in re.findall(r"[\w-]+==[\d.]+", (PROJECT / "deploy" / "Dockerfile").read_text()):
        assert f'"{pin}"' in pins
