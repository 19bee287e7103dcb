"""Requests that the model can answer pass unchanged; others are rejected with the reason."""

import asyncio
import json
from typing import Any

import pytest

from fmnist.serving import app as module
from fmnist.serving.app import RequestFilter

IMAGE = [[200] * 28] * 28
GOOD = json.dumps({"inputs": [IMAGE, IMAGE]}).encode()
LIMIT = 30_000
HEADERS = {"host": "model.example:5001", "content-type": "application/json"}


def send_request(
    body: bytes = GOOD,
    *,
    path: str = "/invocations",
    method: str = "POST",
    parts: int = 3,
    stalls: bool = False,
    **headers: str,
) -> tuple[int, str]:
    """Send a request whose body arrives in parts; return status and content of the reply."""
    fields = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "path": path,
        "method": method,
        "headers": [(k.encode(), v.encode()) for k, v in fields.items()],
    }
    size = max(1, -(-len(body) // parts))
    pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if stalls:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    app = RequestFilter(echo, frozenset({"model.example", "[::1]"}), LIMIT)
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"].decode()


async def echo(scope, receive, send) -> None:
    """The application behind the filter: it replies with the body."""
    message = await receive()
    assert not message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


def test_valid_requests_pass_unchanged() -> None:
    assert send_request() == (200, GOOD.decode())
    assert send_request(json.dumps({"instances": [IMAGE]}).encode())[0] == 200
    assert send_request(content_type="application/json; charset=utf-8")[0] == 200
    assert send_request(b"", path="/ping", method="GET") == (200, "")
    whole = json.dumps({"inputs": [[[200.0] * 28] * 28]}).encode()
    assert send_request(whole) == (200, whole.decode())
    form = {"path": "/predict", "content_type": "multipart/form-data; boundary=x"}
    assert send_request(b"photo", **form) == (200, "photo")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("model.example", 200),
        ("MODEL.example:80", 200),
        ("[::1]:5001", 200),
        ("evil.example", 403),
        ("model.example.evil.example", 403),
        ("", 403),
    ],
)
def test_hosts_match_exactly(host: str, status: int) -> None:
    assert send_request(host=host)[0] == status


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ({"path": "/docs", "method": "GET"}, 404, "/invocations"),
        ({"path": "/invocations/", "method": "POST"}, 404, "/invocations"),
        ({"method": "GET"}, 405, "/invocations accepts POST"),
        ({"path": "/ping"}, 405, "/ping accepts GET"),
        ({"content_type": "text/csv"}, 415, "application/json, got text/csv"),
        ({"content_type": ""}, 415, "got none"),
    ],
)
def test_other_paths_methods_and_types_are_rejected(
    request_: dict[str, str], status: int, message: str
) -> None:
    got, content = send_request(**request_)
    assert (got, message in json.loads(content)["error"]) == (status, True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, 2, 3]], "got shape (1, 3)"),
        (IMAGE, "got shape (28, 28)"),
        ([], "got shape (0,)"),
        ([IMAGE[:27]], "got shape (1, 27, 28)"),
        ([[[0] * 28] * 27 + [[0] * 27]], "lists of unequal length"),
        ([[["a"] * 28] * 28], "got text"),
        ([[["7"] * 28] * 28], "got text"),
        ([[[0.5] * 28] * 28], "got fractions; send unscaled pixels"),
        ([[[float("nan")] * 28] * 28], "got fractions"),
        ([[[float("inf")] * 28] * 28], "got fractions"),
        ([[[1e30] * 28] * 28], "got 1000000000000000019884624838656"),
        ([[[True] * 28] * 28], "got booleans"),
        ([[[None] * 28] * 28], "got other values"),
        ([[[10**30] * 28] * 28], "got other values"),
        ([[[256] * 28] * 28], "got 256 to 256"),
        ([[[-1] * 28] * 28], "got -1 to -1"),
        (3, "got shape ()"),
    ],
)
def test_values_that_are_no_images(values: object, message: str) -> None:
    status, content = send_request(json.dumps({"inputs": values}).encode())
    assert (status, message in json.loads(content)["error"]) == (400, True), content


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\xff\xfe",
        b"[1, 2]",
        b"{}",
        b'{"inputs": [1], "params": {}}',
        b'{"messages": []}',
        b'{"inputs":' + b"[" * 9000 + b"]" * 9000 + b"}",
        b'{"inputs": ' + b"9" * 9000 + b"}",
    ],
)
def test_bodies_that_are_no_requests(body: bytes) -> None:
    assert send_request(body)[0] == 400


def test_body_size_is_limited() -> None:
    assert send_request(GOOD.ljust(LIMIT))[0] == 200
    status, content = send_request(GOOD.ljust(LIMIT + 1))
    assert (status, "at most 30,000 bytes" in content) == (413, True)
    # A longer body is discarded as it arrives, up to a limit.
    assert send_request(b" " * LIMIT * 20, parts=100)[0] == 413


def test_body_must_arrive_in_time(monkeypatch) -> None:
    monkeypatch.setattr(module, "_BODY_SECONDS", 0.01)
    assert send_request(stalls=True)[0] == 408
