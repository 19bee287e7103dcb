"""Check what a tracking server allows strangers: `python probe.py https://mlflow.example`.

Needs only Python. With --user and --password_file (an ordinary user, not the administrator), it
also checks what that user must not see. Nothing is changed. Exit code 0: everything is closed,
1: something is open, 2: the server does not answer.
"""

import argparse
import base64
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

_TIMEOUT_SECONDS: Final = 10
_SEARCH: Final = "/api/2.0/mlflow/experiments/search"
_SEARCH_BODY: Final = b'{"max_results": 1}'
_DEFAULT_EXPERIMENT: Final = "/api/2.0/mlflow/experiments/get?experiment_id=0"
_FILE_OUTSIDE: Final = "/api/2.0/mlflow-artifacts/artifacts/%2e%2e/%2e%2e/%2e%2e/etc/passwd"
_TELEMETRY: Final = "/ajax-api/3.0/mlflow/ui-telemetry"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_REFUSED: Final = (401, 403)


class Check(NamedTuple):
    """One result: what was checked, whether it is as it should be, and how to fix it if not."""

    name: str
    passed: bool
    received: str
    fix: str


def main() -> int:
    """Print a line for each check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address", help="such as https://mlflow.example")
    parser.add_argument("--user", default="")
    parser.add_argument("--password_file", type=Path)
    options = parser.parse_args()
    address = options.address.rstrip("/")
    try:
        _request(address, "/health")
    except OSError as error:
        print(f"probe: {address} does not answer: {error}", file=sys.stderr)
        return 2
    checks = list(_check_as_stranger(address))
    if options.user:
        user = _basic_auth(options.user, options.password_file.read_text().strip())
        checks += _check_as_user(address, user)
    for check in checks:
        print(f"{'ok  ' if check.passed else 'OPEN'}  {check.name}: {check.received}")
        if not check.passed:
            print(f"      fix: {check.fix}")
    failures = sum(not check.passed for check in checks)
    print(f"{failures} of {len(checks)} open")
    return int(failures > 0)


def _check_as_stranger(address: str) -> Iterator[Check]:
    url = urlsplit(address)
    encrypted = url.scheme == "https" or url.hostname in _LOOPBACK
    yield Check("encrypted connection", encrypted, url.scheme, "add a reverse proxy with TLS")
    fix = "start the server with --app-name basic-auth"
    for name, path, body, headers in (
        ("runs without a user", _SEARCH, _SEARCH_BODY, {}),
        ("web pages without a user", "/", None, {}),
        ("artifacts without a user", "/api/2.0/mlflow-artifacts/artifacts", None, {}),
        ("API description without a user", "/openapi.json", None, {}),
        ("a wrong password", _SEARCH, _SEARCH_BODY, _basic_auth("admin", "wrong")),
        (
            "MLflow's old default password",
            _SEARCH,
            _SEARCH_BODY,
            _basic_auth("admin", "password1234"),
        ),
    ):
        yield _check_refused(name, address, path, fix, body, headers)
    fix = "give --allowed-hosts the exact names; the default accepts 10.anything"
    for host in ("evil.example", "10.evil.example", "192.168.evil.example"):
        headers = {"Host": host}
        yield _check_refused(f"Host header {host}", address, "/", fix, None, headers, (403,))
    fix = "give --cors-allowed-origins the exact origins"
    for origin in ("https://evil.example", "https://localhost.evil.example"):
        name, headers = f"changes from {origin}", {"Origin": origin}
        yield _check_refused(name, address, _SEARCH, fix, _SEARCH_BODY, headers, (403,))


def _check_as_user(address: str, user: Mapping[str, str]) -> Iterator[Check]:
    status, _ = _request(address, _SEARCH, _SEARCH_BODY, user)
    yield Check("the user can log in", status == 200, f"HTTP {status}", "check the password file")
    fix = "default_permission = NO_PERMISSIONS in the authorization file"
    yield _check_refused(
        "an experiment of other users", address, _DEFAULT_EXPERIMENT, fix, None, user
    )
    name, fix = "a file outside the artifact directory", "report this to the MLflow project"
    yield _check_refused(name, address, _FILE_OUTSIDE, fix, None, user, (400, 403, 404))
    status, content = _request(address, _TELEMETRY, None, user)
    try:
        is_off = json.loads(content)["disable_ui_telemetry"] is True
    except (ValueError, KeyError):
        is_off = status != 200
    received = content.decode(errors="replace").strip()[:60]
    yield Check("telemetry is off", is_off, received, "set MLFLOW_DISABLE_TELEMETRY=true")


def _check_refused(
    name: str,
    address: str,
    path: str,
    fix: str,
    body: bytes | None,
    headers: Mapping[str, str],
    expected: tuple[int, ...] = _REFUSED,
) -> Check:
    status, _ = _request(address, path, body, headers)
    return Check(f"{name} refused", status in expected, f"HTTP {status}", fix)


def _request(
    address: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Return the status and up to 10,000 bytes of the response."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(address + path, body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            return response.status, response.read(10_000)
    except urllib.error.HTTPError as error:
        return error.code, error.read(10_000)


def _basic_auth(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


if __name__ == "__main__":
    sys.exit(main())
