"""Starts a team's tracking server: PostgreSQL, proxied artifacts, users, all else closed.

Needs MLflow with its `auth` extra and psycopg2, not this project. Settings come from the
environment, secrets from files that the environment names; neither stands in a command line.

    FMNIST_SERVER_HOSTS          names in requests' Host header, exactly, with commas between; with
                                 the port where the address has one: mlflow.example,127.0.0.1:5000
    FMNIST_SERVER_ORIGINS        web origins that may send changes: https://mlflow.example
    FMNIST_SERVER_ARTIFACTS      folder (or s3://…) for artifacts; the only place written to
    FMNIST_SERVER_DATABASE_FILE  file that holds postgresql://USER:PASSWORD@HOST:PORT/DATABASE
    FMNIST_SERVER_PASSWORD_FILE  file with the password of the user `admin`, 12 characters or more
    FMNIST_SERVER_KEY_FILE       file with a random text, 32 characters or more, that signs sessions
    FMNIST_SERVER_LISTEN         address and port to listen on (127.0.0.1:5000)
"""

import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final, NoReturn

_ADMIN: Final = "admin"
# MLflow reads from a file only what cannot be said by variables.
_AUTHORISATION: Final = """[mlflow]
default_permission = NO_PERMISSIONS
grant_default_workspace_access = false
admin_username = {admin}
database_uri = {database}
"""
_OFF: Final = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_SERVER_X_FRAME_OPTIONS": "DENY",
}


def main() -> NoReturn:
    """Become the server, or say in one line what is missing."""
    database = _secret("DATABASE_FILE", 12)
    if not database.startswith("postgresql://"):
        _stop("FMNIST_SERVER_DATABASE_FILE: wanted postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    # SQLAlchemy 2.1 takes a bare `postgresql:` for the other driver, psycopg 3.
    database = database.replace("postgresql:", "postgresql+psycopg2:", 1)
    password = _secret("PASSWORD_FILE", 12)
    key = _secret("KEY_FILE", 32)
    hosts, origins = _setting("HOSTS"), _setting("ORIGINS")
    for name, text in (("HOSTS", hosts), ("ORIGINS", origins)):
        if "*" in text:
            _stop(f"FMNIST_SERVER_{name}={text}: wanted exact names, got a pattern")
    listen, _, port = os.environ.get("FMNIST_SERVER_LISTEN", "127.0.0.1:5000").rpartition(":")
    os.environ |= _OFF | {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_AUTH_CONFIG_PATH": _authorization(database),
        "MLFLOW_AUTH_ADMIN_USERNAME": _ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": key,
    }
    words = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    words += ["--host", listen, "--port", port, "--allowed-hosts", hosts]
    words += ["--cors-allowed-origins", origins]
    words += ["--artifacts-destination", _setting("ARTIFACTS")]
    os.execv(sys.executable, words)  # noqa: S606  # signals reach MLflow itself


def _authorization(database: str) -> str:
    """A file that this user alone can read, in a folder that goes with the machine's memory."""
    folder = tempfile.mkdtemp(prefix="mlflow-", dir=os.environ.get("RUNTIME_DIRECTORY"))
    path = Path(folder, "authorization.ini")
    quoted = database.replace("%", "%%")
    path.write_text(_AUTHORISATION.format(admin=_ADMIN, database=quoted))
    return str(path)


def _setting(name: str) -> str:
    text = os.environ.get(f"FMNIST_SERVER_{name}", "").strip()
    return text or _stop(f"FMNIST_SERVER_{name} is not set; see the top of {__file__}")


def _secret(name: str, length: int) -> str:
    path = Path(_setting(name))
    try:
        text = path.read_text().strip()
        others = path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)
    except OSError as error:
        _stop(f"FMNIST_SERVER_{name}: {path}: {error.strerror}")
    if others:
        _stop(f"FMNIST_SERVER_{name}: everybody can read {path}; run chmod 600 {path}")
    if len(text) < length:
        _stop(f"FMNIST_SERVER_{name}: {path}: wanted {length} characters or more, got {len(text)}")
    return text


def _stop(message: str) -> NoReturn:
    print(f"server: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
