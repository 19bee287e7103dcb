"""Whether a tracking server responds, and what is wrong if something else does."""

import http.client
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from fmnist.errors import BadInput, WorkFailed
from fmnist.system.redaction import redact, without_password

if TYPE_CHECKING:
    import requests

_PAUSES: Final = (0, 1, 3)  # seconds before each attempt
_SERVER_ERROR: Final = 500
_ANSWERS_WITHOUT_ACCESS: Final = (401, 403)
OTHER_STORE: Final = "or set MLFLOW_TRACKING_URI to another store (unset: sqlite in this directory)"


def check_server(uri: str) -> None:
    """Check that a tracking server responds.

    Raises:
        WorkFailed: it refuses connections, or does not respond.
        BadInput: something else answers at this address.
    """
    from fmnist.tracking.lookup import request

    shown, proxy = without_password(uri), _proxy(uri)
    for attempt, pause in enumerate(_PAUSES, start=1):
        time.sleep(pause)
        try:
            reply = request(f"{uri.rstrip('/')}/health")
        except OSError as error:
            if message := _find_mistake(error):
                raise BadInput(f"MLFLOW_TRACKING_URI={shown}: {message}{proxy}") from error
            reason, refused = redact(str(error)), "Connection refused" in str(error)
        else:
            reason, refused = f"HTTP {reply.status_code}", False
            if reply.status_code < _SERVER_ERROR:
                _check_health(reply, shown, proxy)
                return
        if attempt == len(_PAUSES) or refused:
            raise WorkFailed(
                f"the tracking server {shown} cannot be reached ({attempt} requests to /health: "
                f"{reason}){proxy}; start it, {OTHER_STORE}"
            )


def _proxy(uri: str) -> str:
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
    while True:
        # requests and urllib3 keep the cause as an argument.
        cause = next((each for each in error.args if isinstance(each, BaseException)), None)
        cause = cause or getattr(error, "reason", None)
        if not isinstance(cause, BaseException):
            break
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


def _check_health(reply: "requests.Response", shown: str, proxy: str) -> None:
    if reply.status_code not in _ANSWERS_WITHOUT_ACCESS and reply.text.strip() != "OK":
        raise BadInput(
            f"MLFLOW_TRACKING_URI={shown}: not an MLflow server (expected OK from /health, got "
            f"HTTP {reply.status_code}){proxy}; check host, port and path"
        )
