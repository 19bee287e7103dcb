"""The tracking store: there, of this MLflow's form, and letting us in."""

import base64
import os
import re
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from fmnist.doctor.finding import Finding
from fmnist.errors import BadInput, WorkFailed
from fmnist.tracking.address import check_server, without_password

_SECONDS: Final = 5
_REFUSED: Final = (401, 403)
# What SQLAlchemy imports where the address names no driver.
_DRIVERS: Final = {"postgresql": "psycopg", "mysql": "MySQLdb", "mssql": "pyodbc"}
_REVISION: Final = re.compile(r"""^(down_revision|revision)\b.*?=\s*["'](\w+)["']""", re.MULTILINE)


def store() -> Finding:
    """Whether the store that MLFLOW_TRACKING_URI names can be used, MLflow not imported."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    address = urlsplit(uri)
    kind, _, driver = address.scheme.partition("+")
    if kind in ("http", "https"):
        return _server(uri)
    if kind == "sqlite":
        return _sqlite(Path(uri.removeprefix("sqlite:///")), uri)
    told = without_password(uri)
    if kind in _DRIVERS:
        driver = driver or _DRIVERS[kind]
        if find_spec(driver) is None:
            mend = "uv sync --extra postgres, and postgresql+psycopg2://… as the address"
            return Finding("tracking store", "fail", f"{told} needs the package {driver}", mend)
        return Finding("tracking store", "ok", f"{told} (not looked into)")
    mend = "export MLFLOW_TRACKING_URI=sqlite:///mlflow.db, or unset it"
    return Finding("tracking store", "fail", f"{told}: a file store, which MLflow refuses", mend)


def stale_files() -> Finding:
    """Whether an old file store in this folder would be taken for the tracking store."""
    old = [path for path in Path("mlruns").glob("*/meta.yaml") if path.parent.name.isdigit()]
    if not old:
        return Finding("old mlruns/", "ok", "none in this folder")
    told = f"{old[0]} is of MLflow's old file store"
    if "MLFLOW_TRACKING_URI" in os.environ:
        return Finding("old mlruns/", "ok", f"{told}; MLFLOW_TRACKING_URI names another")
    mend = "mv mlruns mlruns.old, or export MLFLOW_TRACKING_URI=sqlite:///mlflow.db"
    return Finding("old mlruns/", "fail", f"{told}, which it would take and refuse", mend)


def _server(uri: str) -> Finding:
    name, told = "tracking store", without_password(uri)
    try:
        check_server()
        status, there = _get(uri, "/version")
        listed, _ = _get(uri, "/api/2.0/mlflow/experiments/get?experiment_id=0")
    except (BadInput, WorkFailed, OSError) as error:
        mend = "start the server, or unset MLFLOW_TRACKING_URI to use a local store"
        return Finding(name, "fail", f"{told}: {error}", mend)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME", "nobody")
    if _REFUSED[0] in (status, listed):
        mend = "export MLFLOW_TRACKING_USERNAME=... MLFLOW_TRACKING_PASSWORD=..."
        return Finding(name, "fail", f"{told} does not let {user} in", mend)
    if status != 200:
        mend = "look at its log, and at the address"
        return Finding(name, "fail", f"{told} answers {status}: is it an MLflow server?", mend)
    here = version("mlflow")
    if there.split(".")[:2] != here.split(".")[:2]:
        told = f"{told} runs MLflow {there}, here is {here}"
        return Finding(name, "warn", told, f"have the server's owner install mlflow=={here}")
    return Finding(name, "ok", f"{told} runs MLflow {there}")


def _get(uri: str, path: str) -> tuple[int, str]:
    """Status and content of the server's answer, asked with the credentials in use."""
    request = urllib.request.Request(without_password(uri).rstrip("/") + path)  # noqa: S310
    address = urlsplit(uri)
    user = os.environ.get("MLFLOW_TRACKING_USERNAME") or unquote(address.username or "")
    password = os.environ.get("MLFLOW_TRACKING_PASSWORD") or unquote(address.password or "")
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {pair}")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return answer.status, answer.read(1000).decode(errors="replace").strip()
    except urllib.error.HTTPError as error:
        return error.code, ""


def _sqlite(path: Path, uri: str) -> Finding:
    name = "tracking store"
    upgrade = f"cp {path} {path}.backup && mlflow db upgrade {uri}"
    if not path.exists():
        if os.access(path.parent, os.W_OK):
            return Finding(name, "ok", f"{path} will be made by the first run")
        told = f"{path}: the folder cannot be written"
        return Finding(name, "fail", told, "work in a folder of your own")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            [(found,)] = database.execute("select version_num from alembic_version").fetchall()
            [(runs,)] = database.execute("select count(*) from runs").fetchall()
    except (sqlite3.Error, ValueError) as error:
        mend = f"mv {path} {path}.broken to begin anew, or put a backup in its place"
        return Finding(name, "fail", f"{path} is no tracking store: {error}", mend)
    if found == _newest_revision():
        return Finding(name, "ok", f"{path} holds {runs:,} runs")
    told = f"{path} is of another MLflow (revision {found})"
    return Finding(name, "fail", told, upgrade)


def _newest_revision() -> str:
    """The form that the installed MLflow gives its databases: the one that none is built on."""
    spec = find_spec("mlflow")
    folder = Path(spec.origin or "").parent if spec else Path()
    scripts = (folder / "store" / "db_migrations" / "versions").glob("*.py")
    pairs = [dict(_REVISION.findall(script.read_text())) for script in scripts]
    made = {pair["revision"] for pair in pairs if "revision" in pair}
    [newest] = made - {pair.get("down_revision") for pair in pairs}
    return newest
