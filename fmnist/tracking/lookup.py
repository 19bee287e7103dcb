"""Check that the store responds, and read single experiments and runs, without MLflow.

MLflow takes seconds to import, and would retry for minutes if a server does not respond.
"""

import http.client
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import requests
import sqlalchemy
from sqlalchemy import column, func, select, table

from fmnist.errors import BadInput, WorkFailed
from fmnist.system.redaction import redact, without_password
from fmnist.tracking.address import OTHER_STORE, database_path
from fmnist.tracking.errors import explain_store_error

_TIMEOUT_SECONDS: Final = 5
_PAUSES: Final = (0, 1, 3)  # seconds before each attempt to reach a server
_SERVER_ERROR: Final = 500
_NOT_FOUND: Final = (400, 404)
_DENIED: Final = (401, 403)


# An experiment or a run, with the names of MLflow's REST interface.
Stored = Mapping[str, Any]


class Unknown(Exception):
    """The store cannot answer at the moment: it is locked, denies access or does not respond."""


class Database:
    """Lookups in MLflow's tables.

    Raises:
        BadInput: the database cannot be used: no driver, damaged, or not MLflow's.
        WorkFailed: the database server does not respond.
        Unknown: another process has locked the database.
    """

    def __init__(self, uri: str) -> None:
        self._shown, path = without_password(uri), database_path(uri)
        timeout = {"timeout": 1} if path else {"connect_timeout": _TIMEOUT_SECONDS}
        with self._errors_explained():
            self._engine = sqlalchemy.create_engine(
                uri,
                poolclass=sqlalchemy.NullPool,
                connect_args={} if uri.startswith("mssql") else timeout,
            )
            # A connection would create a missing file, which MLflow could not use.
            self._is_new = (path is not None and not path.exists()) or not sqlalchemy.inspect(
                self._engine
            ).has_table("experiments")

    def experiment(self, *, name: str = "", experiment_id: str = "") -> Stored | None:
        """Return the experiment with this name or id."""
        if experiment_id and not experiment_id.isdecimal():
            return None
        key, value = ("name", name) if name else ("experiment_id", int(experiment_id))
        fields = ("experiment_id", "name", "lifecycle_stage", "artifact_location")
        return next(iter(self._select("experiments", fields, key, value)), None)

    def run(self, run_id: str) -> Stored | None:
        """Return the run with this id, and its tags as a dictionary."""
        fields = ("experiment_id", "status", "lifecycle_stage")
        for run in self._select("runs", fields, "run_uuid", run_id):
            tags = self._select("tags", ("key", "value"), "run_uuid", run_id)
            return {**run, "tags": {tag["key"]: tag["value"] for tag in tags}}
        return None

    def count_runs(self, experiment_id: str = "") -> int:
        """Return the number of ended runs of an experiment, or of all runs."""
        query = select(func.count()).select_from(table("runs"))
        if experiment_id:
            is_ended = column("end_time").is_not(None)
            query = query.where(column("experiment_id") == int(experiment_id), is_ended)
        return sum(count for row in self._execute(query) for count in row.values())

    def _select(
        self, name: str, fields: tuple[str, ...], key: str, value: str | int
    ) -> list[Stored]:
        columns: Any = map(column, fields)
        return self._execute(select(*columns).select_from(table(name)).where(column(key) == value))

    def _execute(self, query: "sqlalchemy.Select[Any]") -> list[Stored]:
        if self._is_new:
            return []
        with self._errors_explained(), self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    @contextmanager
    def _errors_explained(self) -> Iterator[None]:
        try:
            yield
        except ModuleNotFoundError as error:
            raise BadInput(
                f"the tracking store {self._shown} needs the package {error.name}, which is not "
                "installed; for PostgreSQL, uv sync --extra postgres and a URI postgresql+psycopg2:"
                "//HOST/NAME"
            ) from error
        except sqlalchemy.exc.SQLAlchemyError as error:
            text = redact(str(getattr(error, "orig", error)).strip().partition("\n")[0])
            if "is locked" in text:
                raise Unknown from error
            if message := explain_store_error(text):
                raise BadInput(message) from error
            if self._shown.startswith("sqlite"):
                raise BadInput(
                    f"{self._shown} is not a tracking store ({text}); restore a backup, or move "
                    "the file away to start a new store"
                ) from error
            raise WorkFailed(
                f"the tracking store {self._shown} cannot be reached ({text}); start it, or set "
                "MLFLOW_TRACKING_URI to another store"
            ) from error


class Server:
    """Lookups on a tracking server.

    Raises:
        Unknown: the server denies access, or does not respond.
    """

    def __init__(self, uri: str) -> None:
        self._api = f"{uri.rstrip('/')}/api/2.0/mlflow"

    def experiment(self, *, name: str = "", experiment_id: str = "") -> Stored | None:
        """Return the experiment with this name or id."""
        path, wanted = "experiments/get", {"experiment_id": experiment_id}
        if name:
            path, wanted = "experiments/get-by-name", {"experiment_name": name}
        return self._get(path, wanted).get("experiment")

    def run(self, run_id: str) -> Stored | None:
        """Return the run with this id, and its tags as a dictionary."""
        run = self._get("runs/get", {"run_id": run_id}).get("run")
        if run is None:
            return None
        return {**run["info"], "tags": {t["key"]: t["value"] for t in run["data"].get("tags", ())}}

    def _get(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        try:
            reply = request(f"{self._api}/{path}", parameters)
            if reply.status_code in _NOT_FOUND:
                return {}
            reply.raise_for_status()
            return dict(reply.json())
        except (requests.RequestException, ValueError) as error:
            raise Unknown from error


def request(url: str, parameters: Mapping[str, str] | None = None) -> requests.Response:
    """Send a GET request with MLflow's settings for user, token and certificates."""
    settings = os.environ
    token, user = settings.get("MLFLOW_TRACKING_TOKEN"), settings.get("MLFLOW_TRACKING_USERNAME")
    insecure = settings.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    return requests.get(
        url,
        params=parameters,
        headers={"Authorization": f"Bearer {token}"} if token and not user else {},
        auth=(user, settings.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None,
        verify=settings.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or not insecure,
        cert=settings.get("MLFLOW_TRACKING_CLIENT_CERT_PATH"),
        timeout=_TIMEOUT_SECONDS,
    )


def check_server(uri: str) -> None:
    """Check that a tracking server responds.

    Raises:
        WorkFailed: it refuses connections, or does not respond within 20 s.
        BadInput: something else answers at this address.
    """
    shown, proxy = without_password(uri), _describe_proxy(uri)
    for attempt, pause in enumerate(_PAUSES, start=1):
        time.sleep(pause)
        try:
            reply = request(f"{uri.rstrip('/')}/health")
        except OSError as error:
            if mistake := _find_mistake(error):
                raise BadInput(f"MLFLOW_TRACKING_URI={shown}: {mistake}{proxy}") from error
            reason, is_final = redact(str(error)), "Connection refused" in str(error)
        else:
            reason, is_final = f"HTTP {reply.status_code}", False
            if reply.status_code in _DENIED or reply.text.strip() == "OK":
                return
            if reply.status_code < _SERVER_ERROR:
                raise BadInput(
                    f"MLFLOW_TRACKING_URI={shown}: not an MLflow server (expected OK from /health, "
                    f"got {reason}){proxy}; check host, port and path"
                )
        if is_final or attempt == len(_PAUSES):
            raise WorkFailed(
                f"the tracking server {shown} cannot be reached ({attempt} requests to /health: "
                f"{reason}){proxy}; start it, {OTHER_STORE}"
            )


def _describe_proxy(uri: str) -> str:
    """Return which proxy a request passes through, as part of a message."""
    address = urlsplit(uri)
    proxy = getproxies().get(address.scheme)
    if not proxy or proxy_bypass(address.hostname or ""):
        return ""
    return (
        f"; requests pass through the proxy {without_password(proxy)} (set no_proxy="
        f"{address.hostname} to connect directly)"
    )


def _find_mistake(error: BaseException) -> str:
    """Return what the user did wrong, "" if the server or the network failed."""
    while cause := _cause(error):
        error = cause
    text = redact(str(error))
    if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
        return "the program at this port does not speak HTTP; check the port"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            f"its certificate is not trusted ({text}); set MLFLOW_TRACKING_SERVER_CERT_PATH to the "
            "certificate of its authority"
        )
    if type(error).__name__.startswith("SSL"):
        return f"the program at this port does not speak HTTPS ({text}); use http://"
    return f"{text}; correct the URI" if isinstance(error, ValueError) else ""


def _cause(error: BaseException) -> BaseException | None:
    """Return the cause, which requests and urllib3 keep as an argument."""
    candidates = (*error.args, getattr(error, "reason", None))
    return next((each for each in candidates if isinstance(each, BaseException)), None)
