"""Only requests that can be answered pass the gate, as they came; the others are told why."""

import asyncio
import json
from typing import Any

import pytest

from fmnist.serving import gate
from fmnist.serving.gate import Gate

IMAGE = [[200] * 28] * 28
GOOD = json.dumps({"inputs": [IMAGE, IMAGE]}).encode()
LIMIT = 30_000
HEADERS = {"host": "model.example:5001", "content-type": "application/json"}


def ask(
    body: bytes = GOOD,
    *,
    path: str = "/invocations",
    method: str = "POST",
    parts: int = 3,
    stalls: bool = False,
    **headers: str,
) -> tuple[int, str]:
    """Status and content of the answer to one request, whose body comes in parts."""
    told = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "path": path,
        "method": method,
        "headers": [(k.encode(), v.encode()) for k, v in told.items()],
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

    app = Gate(echo, frozenset({"model.example", "[::1]"}), LIMIT)
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], sent[1]["body"].decode()


async def echo(scope, receive, send) -> None:
    """What stands behind the gate here: it answers with the body that it gets."""
    message = await receive()
    assert not message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


def test_a_good_request_passes_as_it_came() -> None:
    assert ask() == (200, GOOD.decode())
    assert ask(json.dumps({"instances": [IMAGE]}).encode())[0] == 200
    assert ask(content_type="application/json; charset=utf-8")[0] == 200
    assert ask(b"", path="/ping", method="GET") == (200, "")


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
def test_hosts_are_taken_exactly(host: str, status: int) -> None:
    assert ask(host=host)[0] == status


@pytest.mark.parametrize(
    ("request_", "status", "told"),
    [
        ({"path": "/docs", "method": "GET"}, 404, "/invocations"),
        ({"path": "/invocations/", "method": "POST"}, 404, "/invocations"),
        ({"method": "GET"}, 405, "/invocations takes POST"),
        ({"path": "/ping"}, 405, "/ping takes GET"),
        ({"content_type": "text/csv"}, 415, "wanted Content-Type application/json, got text/csv"),
        ({"content_type": ""}, 415, "got none"),
    ],
)
def test_other_ways_are_closed(request_: dict[str, str], status: int, told: str) -> None:
    got, content = ask(**request_)
    assert (got, told in json.loads(content)["error"]) == (status, True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([[1, 2, 3]], "got (1, 3)"),
        (IMAGE, "got (28, 28)"),
        ([], "got (0,)"),
        ([IMAGE[:27]], "got (1, 27, 28)"),
        ([[[0] * 28] * 27 + [[0] * 27]], "lists of unequal length"),
        ([[["a"] * 28] * 28], "got text"),
        ([[["7"] * 28] * 28], "got text"),
        ([[[0.5] * 28] * 28], "got fractions; pixels are not scaled"),
        ([[[float("nan")] * 28] * 28], "got fractions"),
        ([[[True] * 28] * 28], "got truth values"),
        ([[[None] * 28] * 28], "got other values"),
        ([[[10**30] * 28] * 28], "got other values"),
        ([[[256] * 28] * 28], "got 256 to 256"),
        ([[[-1] * 28] * 28], "got -1 to -1"),
        (3, "got ()"),
    ],
)
def test_what_is_no_image_is_told(given: object, told: str) -> None:
    status, content = ask(json.dumps({"inputs": given}).encode())
    assert (status, told in json.loads(content)["error"]) == (400, True), content


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
def test_what_is_no_request_is_refused(body: bytes) -> None:
    assert ask(body)[0] == 400


def test_a_body_is_only_so_long() -> None:
    assert ask(GOOD.ljust(LIMIT))[0] == 200
    status, content = ask(GOOD.ljust(LIMIT + 1))
    assert (status, "at most 30,000 bytes" in content) == (413, True)
    # Thrown away as it comes, and not for ever.
    assert ask(b" " * LIMIT * 20, parts=100)[0] == 413


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(gate, "_BODY_SECONDS", 0.01)
    assert ask(stalls=True)[0] == 408
