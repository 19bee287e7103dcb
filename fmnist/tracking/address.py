"""The address of the tracking store, parsed and normalized without importing MLflow."""

import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

from fmnist.errors import BadInput
from fmnist.system.redaction import without_password
from fmnist.system.signals import launcher_directory

_VARIABLE: Final = "MLFLOW_TRACKING_URI"
_DEFAULT_URI: Final = "sqlite:///mlflow.db"  # MLflow's own default
# SQLAlchemy's syntax: the path ends at the query, and may contain a `#`.
_SQLITE: Final = re.compile(
    r"(?P<scheme>sqlite(?:\+\w+)?)://[^/?]*(?:/(?P<path>[^?]*))?(?P<query>\?.*)?"
)
_HOST: Final = re.compile(r"(localhost|[\w.-]+:\d+)(/.*)?|http.*|.*@.*")
_DATABASES: Final = ("postgresql", "mysql", "mssql")
_REMEDY: Final = (
    "expected http://HOST:PORT, sqlite:///PATH or postgresql://HOST/NAME; unset "
    f"{_VARIABLE} to use {_DEFAULT_URI} in the working directory"
)
OTHER_STORE: Final = f"or set {_VARIABLE} to another store (unset: sqlite in this directory)"


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI or MLflow's default, with the absolute path of a SQLite file.

    Raises:
        BadInput: it is not the URI of a store that can be used.
    """
    uri = os.environ.get(_VARIABLE)
    if not uri:
        return _default_uri()
    if message := _find_mistake(uri):
        shown = uri if "://" in uri else uri.rpartition("@")[2]
        raise BadInput(f"{_VARIABLE}={without_password(shown)!r}: {message}; {_REMEDY}")
    path = database_path(uri)
    if path is None:
        return uri
    scheme, _, rest = uri.partition("://")
    _, separator, query = rest.partition("?")
    return sqlite_uri(launcher_directory() / path, scheme, separator + query)


def is_server(uri: str) -> bool:
    """Whether the URI is that of a tracking server."""
    return urlsplit(uri).scheme in ("http", "https")


def database_path(uri: str) -> Path | None:
    """Return the file of a SQLite URI such as `sqlite:///mlflow.db` or `sqlite+pysqlite:////a%20b`.

    None for servers, other databases and SQLite in memory.
    """
    match = _SQLITE.fullmatch(uri)
    path = unquote(match["path"] or "") if match else ""
    return None if path in ("", ":memory:") or path.startswith("file:") else Path(path)


def local_path(location: str) -> Path | None:
    """Return the directory of a local artifact location, None for a remote one."""
    address = urlsplit(location)
    if address.scheme == "file":
        return Path(url2pathname(address.path))
    return None if "://" in location or address.scheme == "mlflow-artifacts" else Path(location)


def sqlite_uri(path: Path, scheme: str = "sqlite", query: str = "") -> str:
    """Return the URI of a SQLite file that SQLAlchemy and MLflow understand in the same way.

    MLflow creates the parent directory of a `sqlite:` file without decoding its name, but leaves
    URIs with a driver to SQLAlchemy, which decodes them.
    """
    text = os.path.abspath(path)
    if "%" in text or "?" in text:
        scheme, text = "sqlite+pysqlite", quote(text)
    return f"{scheme}:///{text}{query}"


def store_address() -> str:
    """Return the URI of the tracking store in use, without password, for messages."""
    return without_password(tracking_uri())


def store_name() -> str:
    """Return a short identifier of the tracking store in use, for names of lock files."""
    location = str(database_path(tracking_uri()) or store_address())
    return sha256(location.encode()).hexdigest()[:12]


def describe_store() -> str:
    """Return the address of the tracking store, without password, and the experiment."""
    name, given = os.environ.get("MLFLOW_EXPERIMENT_NAME"), os.environ.get("MLFLOW_EXPERIMENT_ID")
    # The command line of `mlflow run` sets the id.
    experiment = (given if "MLFLOW_RUN_ID" in os.environ else name) or name or given or "Default"
    return f"{store_address()}, experiment {experiment}"


def configure_mlflow() -> None:
    """Set MLflow's settings, once, in the main thread, before other threads are started.

    MLflow reads them from the environment at every request. It must not repeat requests by itself:
    a repeated request could create a second run. `client.Client` and the offline queue repeat the
    requests that are safe to repeat. The normalized URI is that of child processes too.
    """
    os.environ[_VARIABLE] = tracking_uri()
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # seconds
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # requests to another server
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # `cli` prints it


def _default_uri() -> str:
    """Return the URI that MLflow selects if none is set."""
    old_stores = Path("mlruns").glob("[0-9]*/meta.yaml")
    old = next((path for path in old_stores if path.parent.name.isdigit()), None)
    if old is None:
        return sqlite_uri(Path("mlflow.db"))
    if _allows_file_store():
        return Path("mlruns").absolute().as_uri()
    raise BadInput(
        f"MLflow would select and reject the old file store {old}; move it away (mv mlruns "
        f"mlruns.old), or export {_VARIABLE}={_DEFAULT_URI}"
    )


def _find_mistake(uri: str) -> str:  # noqa: PLR0911
    """Return what is wrong with the URI, "" if it is that of a store."""
    if uri != uri.strip() or not uri.isprintable():
        return "it begins or ends with a space, or contains a line break"
    if uri[0] in "\"'":
        return "the quotes are part of the value"
    scheme, separator, rest = uri.partition("://")
    if not separator and _HOST.fullmatch(uri):
        return "http:// is missing"
    if scheme in ("http", "https"):
        return _find_mistake_of_server(uri)
    if uri.startswith("sqlite"):
        in_memory = (
            "a store in memory is lost at the end of the process; name a file, after three slashes "
            "(relative path) or four (absolute path)"
        )
        return "" if database_path(uri) else in_memory
    if uri.startswith("file:") or (not separator and uri != "databricks"):
        return "" if _allows_file_store() else "MLflow does not support file stores any more"
    is_supported = rest and scheme.partition("+")[0] in _DATABASES
    return "" if is_supported else f"{scheme} is not supported"


def _find_mistake_of_server(uri: str) -> str:
    try:
        address = urlsplit(uri)
        host, _ = address.hostname, address.port
    except ValueError as error:
        return str(error)
    if not host:
        return "the host is missing"
    return "it contains a space or a quote" if re.search(r"[\s\"'<>]", uri) else ""


def _allows_file_store() -> bool:
    return os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
