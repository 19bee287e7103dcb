"""The database of searches, which several processes and machines share."""

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import optuna
import platformdirs
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from fmnist import names
from fmnist.errors import BadInput, WorkFailed

_FILE: Final = "tune.db"
# A process that trains says so this often; one that has not for so long is gone, and what it was
# trying is tried again.
_HEARTBEAT_SECONDS: Final = 15
_GONE_AFTER_SECONDS: Final = 120
_SQLITE_PATIENCE_SECONDS: Final = 60
_ATTEMPTS, _PAUSE_SECONDS = 5, 1.0  # to make the tables


def address(storage: str) -> str:
    """The address to use; it may hold a password, and is never to be shown.

    Args:
        storage: a SQLAlchemy URL, or auto.

    Raises:
        BadInput: it is no URL, or holds a password, which the run would log.
    """
    named = os.environ.get(names.STUDY_STORAGE) or _own() if storage == "auto" else storage
    try:
        url = make_url(named)
    except ArgumentError as error:
        raise BadInput(
            "storage: wanted the URL of a database, such as sqlite:///tune.db or "
            "postgresql://user@host/name, got something else"
        ) from error
    if storage != "auto" and url.password:
        raise BadInput(
            f"storage={url.render_as_string()}: parameters of a run are logged, passwords must not "
            f"be; leave it out here and set {names.STUDY_STORAGE}, PGPASSWORD or ~/.pgpass"
        )
    if url.drivername == "postgresql":  # a bare name would ask for psycopg 3
        url = url.set(drivername="postgresql+psycopg2")
    return url.render_as_string(hide_password=False)


def _own() -> str:
    """A file of the user's: `mlflow run` and the plain command work in different folders."""
    folder = platformdirs.user_state_path("fmnist")
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / _FILE}"


def opened(url: str) -> RDBStorage:
    """The database, with its tables.

    Raises:
        BadInput: there is no driver for it.
        WorkFailed: it cannot be reached.
    """
    is_sqlite = make_url(url).drivername.startswith("sqlite")
    patience = {"connect_args": {"timeout": _SQLITE_PATIENCE_SECONDS}}
    try:
        storage = _with_tables(url, patience if is_sqlite else {"pool_pre_ping": True})
        if is_sqlite:
            _let_one_in_at_a_time(storage.engine)
        return storage
    except (ImportError, ArgumentError) as error:
        raise BadInput(
            f"storage={_shown(make_url(url))}: no driver for such a database here ({error}); for "
            "PostgreSQL install the extra `postgres`"
        ) from error
    except SQLAlchemyError as error:
        raise WorkFailed(
            f"the database of searches {_shown(make_url(url))} cannot be used "
            f"({str(error).splitlines()[0]}); start it, or name another with storage"
        ) from error


def _with_tables(url: str, engine: dict[str, Any]) -> RDBStorage:
    """Optuna's storage; of two who make the same tables at once, one fails and finds them then."""
    attempts = 0
    while True:
        try:
            with heartbeats():
                return RDBStorage(
                    url,
                    engine_kwargs=engine,
                    heartbeat_interval=_HEARTBEAT_SECONDS,
                    grace_period=_GONE_AFTER_SECONDS,
                    heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
                )
        except SQLAlchemyError as error:
            made_by_another = isinstance(error, IntegrityError) or "already exists" in str(error)
            attempts += 1
            if attempts == _ATTEMPTS or not made_by_another:
                raise
        time.sleep(_PAUSE_SECONDS)


@contextmanager
def heartbeats() -> Iterator[None]:
    """Optuna calls whatever belongs to its heartbeats experimental, and warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _let_one_in_at_a_time(engine: Engine) -> None:
    """Make every transaction of sqlite wait for the one before it, from its first statement on.

    Optuna reads a waiting trial and then takes it, trusting in SELECT FOR UPDATE, which sqlite
    lacks: two processes would now and then take the same one.
    """

    def leave_it_to_us(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # Python's driver begins only before it writes

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()
    event.listen(engine, "connect", leave_it_to_us)
    event.listen(engine, "begin", begin)


def quiet() -> None:
    """Let Optuna say only what went wrong; `tune` tells of its trials itself."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)
