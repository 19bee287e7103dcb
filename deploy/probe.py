"""Asks a tracking server what a stranger would: `python probe.py https://mlflow.example`.

Needs Python alone. With --user and --password_file (an ordinary user, not the administrator) it
also asks what that user should not be told. Exit code 0 when all is closed, 1 when something is
open, 2 when nobody answers.
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

_SECONDS: Final = 10
_SEARCH: Final = "/api/2.0/mlflow/experiments/search"
_ONE: Final = b'{"max_results": 1}'
_DEFAULT: Final = "/api/2.0/mlflow/experiments/get?experiment_id=0"
_FILE: Final = "/api/2.0/mlflow-artifacts/artifacts/%2e%2e/%2e%2e/%2e%2e/etc/passwd"
_TELEMETRY: Final = "/ajax-api/3.0/mlflow/ui-telemetry"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_CLOSED: Final = (401, 403)


class Answer(NamedTuple):
    """What was asked, whether the answer is as it should be, and how to mend it otherwise."""

    question: str
    good: bool
    got: str
    mend: str


def main() -> int:
    """Print a line for each question."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("address", help="such as https://mlflow.example")
    words.add_argument("--user", default="")
    words.add_argument("--password_file", type=Path)
    asked = words.parse_args()
    headers = {}
    if asked.user:
        headers = _basic(asked.user, asked.password_file.read_text().strip())
    address = asked.address.rstrip("/")
    try:
        _ask(address, "/health")
    except OSError as error:
        print(f"probe: {address} does not answer: {error}", file=sys.stderr)
        return 2
    answers = [*_of_a_stranger(address), *(_of_a_user(address, headers) if headers else [])]
    for answer in answers:
        print(f"{'ok  ' if answer.good else 'OPEN'}  {answer.question}: {answer.got}")
        if not answer.good:
            print(f"      mend: {answer.mend}")
    opened = sum(not answer.good for answer in answers)
    print(f"{opened} of {len(answers)} open")
    return int(opened > 0)


def _of_a_stranger(address: str) -> Iterator[Answer]:
    parts = urlsplit(address)
    safe = parts.scheme == "https" or parts.hostname in _LOOPBACK
    yield Answer(
        "passwords travel encrypted", safe, parts.scheme, "put a proxy with TLS in front of it"
    )
    users = "start it with --app-name basic-auth"
    for question, path, body, headers in (
        ("runs without a user", _SEARCH, _ONE, {}),
        ("the pages without a user", "/", None, {}),
        ("artifacts without a user", "/api/2.0/mlflow-artifacts/artifacts", None, {}),
        ("the interface's description without a user", "/openapi.json", None, {}),
        ("a wrong password", _SEARCH, _ONE, _basic("admin", "wrong")),
        ("the password of old versions", _SEARCH, _ONE, _basic("admin", "password1234")),
    ):
        yield _closed(question, address, path, users, body, headers)
    hosts = "give --allowed-hosts the exact names; the default lets 10.anything through"
    for name in ("evil.example", "10.evil.example", "192.168.evil.example"):
        yield _closed(f"a Host header {name}", address, "/", hosts, None, {"Host": name}, (403,))
    origins = "give --cors-allowed-origins the exact origins"
    for name in ("https://evil.example", "https://localhost.evil.example"):
        headers = {"Origin": name}
        yield _closed(f"changes from {name}", address, _SEARCH, origins, _ONE, headers, (403,))


def _of_a_user(address: str, user: Mapping[str, str]) -> Iterator[Answer]:
    status, _ = _ask(address, _SEARCH, _ONE, user)
    yield Answer("the user is let in", status == 200, f"HTTP {status}", "check the password file")
    rights = "default_permission = NO_PERMISSIONS in the authorization file"
    yield _closed("an experiment of others", address, _DEFAULT, rights, None, user)
    folder = "report it to MLflow"
    yield _closed(
        "a file outside the artifacts", address, _FILE, folder, None, user, (400, 403, 404)
    )
    status, content = _ask(address, _TELEMETRY, None, user)
    try:
        off = json.loads(content)["disable_ui_telemetry"] is True
    except (ValueError, KeyError):
        off = status != 200
    mend = "MLFLOW_DISABLE_TELEMETRY=true for the server"
    yield Answer("telemetry is off", off, content.decode(errors="replace").strip()[:60], mend)


def _closed(
    question: str,
    address: str,
    path: str,
    mend: str,
    body: bytes | None,
    headers: Mapping[str, str],
    wanted: tuple[int, ...] = _CLOSED,
) -> Answer:
    status, _ = _ask(address, path, body, headers)
    return Answer(f"{question} refused", status in wanted, f"HTTP {status}", mend)


def _ask(
    address: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    told = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(address + path, body, told)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return answer.status, answer.read(10_000)
    except urllib.error.HTTPError as error:
        return error.code, error.read(10_000)


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


if __name__ == "__main__":
    sys.exit(main())
