"""Start a tracking server for a team: PostgreSQL, proxied artifacts, users, everything else closed.

Needs MLflow with its `auth` extra and psycopg2, but not this project. Settings are environment
variables. Secrets are in files named by them, because every user can read command lines.

    FMNIST_SERVER_HOSTS          accepted Host headers, comma-separated, with the port if the
                                 address has one: mlflow.example,127.0.0.1:5000
    FMNIST_SERVER_ORIGINS        web origins that may send changes: https://mlflow.example
    FMNIST_SERVER_ARTIFACTS      directory (or s3://...) for artifacts; nothing else is written
    FMNIST_SERVER_DATABASE_FILE  file with postgresql://USER:PASSWORD@HOST:PORT/DATABASE
    FMNIST_SERVER_PASSWORD_FILE  file with the password of the user `admin`, at least 12 characters
    FMNIST_SERVER_KEY_FILE       file with at least 32 random characters, which sign sessions
    FMNIST_SERVER_LISTEN         address and port to listen on (127.0.0.1:5000)
"""

import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final, NoReturn

_ADMIN: Final = "admin"
# Settings that MLflow reads only from a file.
_AUTHORIZATION: Final = """[mlflow]
default_permission = NO_PERMISSIONS
grant_default_workspace_access = false
admin_username = {admin}
database_uri = {database}
"""
_MLFLOW_SETTINGS: Final = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_SERVER_X_FRAME_OPTIONS": "DENY",
}


def main() -> NoReturn:
    """Replace this process by the server, or exit with a message about the settings."""
    database = _read_secret("DATABASE_FILE", 12)
    if not database.startswith("postgresql://"):
        _exit("FMNIST_SERVER_DATABASE_FILE: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    # For SQLAlchemy 2.1, `postgresql:` alone means the driver psycopg 3.
    database = database.replace("postgresql:", "postgresql+psycopg2:", 1)
    password = _read_secret("PASSWORD_FILE", 12)
    key = _read_secret("KEY_FILE", 32)
    hosts, origins = _read_setting("HOSTS"), _read_setting("ORIGINS")
    for name, text in (("HOSTS", hosts), ("ORIGINS", origins)):
        if "*" in text:
            _exit(f"FMNIST_SERVER_{name}={text}: expected exact names, got a pattern")
    listen, _, port = os.environ.get("FMNIST_SERVER_LISTEN", "127.0.0.1:5000").rpartition(":")
    os.environ |= _MLFLOW_SETTINGS | {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_AUTH_CONFIG_PATH": _write_authorization(database),
        "MLFLOW_AUTH_ADMIN_USERNAME": _ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": key,
    }
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    command += ["--host", listen, "--port", port, "--allowed-hosts", hosts]
    command += ["--cors-allowed-origins", origins]
    command += ["--artifacts-destination", _read_setting("ARTIFACTS")]
    os.execv(sys.executable, command)  # noqa: S606  # so that signals reach MLflow


def _write_authorization(database: str) -> str:
    """Write a file that only this user can read, in memory if systemd provides a directory."""
    directory = tempfile.mkdtemp(prefix="mlflow-", dir=os.environ.get("RUNTIME_DIRECTORY"))
    path = Path(directory, "authorization.ini")
    escaped = database.replace("%", "%%")
    path.write_text(_AUTHORIZATION.format(admin=_ADMIN, database=escaped))
    return str(path)


def _read_setting(name: str) -> str:
    text = os.environ.get(f"FMNIST_SERVER_{name}", "").strip()
    return text or _exit(f"FMNIST_SERVER_{name} is not set; see the top of {__file__}")


def _read_secret(name: str, min_length: int) -> str:
    path = Path(_read_setting(name))
    try:
        text = path.read_text().strip()
        access_by_others = path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)
    except OSError as error:
        _exit(f"FMNIST_SERVER_{name}: {path}: {error.strerror}")
    if access_by_others:
        _exit(f"FMNIST_SERVER_{name}: every user can access {path}; run chmod 600 {path}")
    if len(text) < min_length:
        _exit(
            f"FMNIST_SERVER_{name}: {path}: expected at least {min_length} characters, "
            f"got {len(text)}"
        )
    return text


def _exit(message: str) -> NoReturn:
    print(f"server: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
