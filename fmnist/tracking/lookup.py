"""Read single experiments and runs without MLflow, whose import takes seconds."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import requests
import sqlalchemy
from sqlalchemy import column, func, select, table

from fmnist.errors import BadInput, WorkFailed
from fmnist.system.redaction import redact, without_password
from fmnist.tracking.address import database_path
from fmnist.tracking.messages import explain_store_error

_TIMEOUT_SECONDS: Final = 5
_NOT_FOUND: Final = (400, 404)
_DENIED: Final = (401, 403)


@dataclass(frozen=True)
class Experiment:
    """An experiment of the store."""

    experiment_id: str
    name: str
    is_active: bool
    artifact_location: str


@dataclass(frozen=True)
class StoredRun:
    """The state of a run."""

    experiment_id: str
    status: str
    is_active: bool
    tags: Mapping[str, str]


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
        connect_args: dict[str, Any] = (
            {}
            if uri.startswith("mssql")
            else (
                {"timeout": 1}
                if uri.startswith("sqlite")
                else {"connect_timeout": _TIMEOUT_SECONDS}
            )
        )
        with self._errors_explained():
            pool = sqlalchemy.NullPool
            self._engine = sqlalchemy.create_engine(uri, poolclass=pool, connect_args=connect_args)
            # A connection would create a missing file, which MLflow could not use.
            self._is_new = (path is not None and not path.exists()) or not sqlalchemy.inspect(
                self._engine
            ).has_table("experiments")

    def experiment(self, *, name: str = "", experiment_id: str = "") -> Experiment | None:
        """Return the experiment with this name or id."""
        if experiment_id and not experiment_id.isdecimal():
            return None
        wanted = ("name", name) if name else ("experiment_id", int(experiment_id))
        fields = ("experiment_id", "name", "lifecycle_stage", "artifact_location")
        rows = self._select("experiments", fields, *wanted)
        return next(
            (Experiment(str(i), n, stage == "active", place or "") for i, n, stage, place in rows),
            None,
        )

    def run(self, run_id: str) -> StoredRun | None:
        """Return the run with this id."""
        fields = ("experiment_id", "status", "lifecycle_stage")
        rows = self._select("runs", fields, "run_uuid", run_id)
        tags = dict(self._select("tags", ("key", "value"), "run_uuid", run_id)) if rows else {}
        return next((StoredRun(str(i), s, stage == "active", tags) for i, s, stage in rows), None)

    def count_runs(self, experiment_id: str = "") -> int:
        """Return the number of ended runs of an experiment, or of all runs."""
        if self._is_new:
            return 0
        query: sqlalchemy.Select[Any] = select(func.count()).select_from(table("runs"))
        if experiment_id:
            is_ended = column("end_time").is_not(None)
            query = query.where(column("experiment_id") == int(experiment_id), is_ended)
        with self._errors_explained(), self._engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    def _select(
        self, name: str, fields: tuple[str, ...], key: str, value: str | int
    ) -> list[tuple[Any, ...]]:
        if self._is_new:
            return []
        query: Any = (
            select(*map(column, fields)).select_from(table(name)).where(column(key) == value)
        )
        with self._errors_explained(), self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]

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

    def experiment(self, *, name: str = "", experiment_id: str = "") -> Experiment | None:
        """Return the experiment with this name or id."""
        if name:
            found = self._get("experiments/get-by-name", experiment_name=name)
        else:
            found = self._get("experiments/get", experiment_id=experiment_id)
        if not found:
            return None
        stored = found["experiment"]
        is_active = stored.get("lifecycle_stage") == "active"
        place = stored.get("artifact_location", "")
        return Experiment(stored["experiment_id"], stored["name"], is_active, place)

    def run(self, run_id: str) -> StoredRun | None:
        """Return the run with this id."""
        found = self._get("runs/get", run_id=run_id)
        if not found:
            return None
        info = found["run"]["info"]
        tags = {tag["key"]: tag["value"] for tag in found["run"]["data"].get("tags", ())}
        is_active = info.get("lifecycle_stage") == "active"
        return StoredRun(info["experiment_id"], info["status"], is_active, tags)

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
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
