"""HTTP requests that the model can answer are answered; others are rejected with the reason."""

import asyncio
import base64
import json
import re
from typing import Any

import pytest

from fmnist.serving import app as module
from fmnist.serving.app import RequestFilter
from fmnist.serving.upload import PhotoApp, parse_upload
from tests.helpers.photos import PHOTOS, create_classifier

IMAGE = [[200] * 28] * 28
GOOD = json.dumps({"inputs": [IMAGE, IMAGE]}).encode()
LIMIT = 100_000
HEADERS = {"host": "model.example:5001", "content-type": "application/json"}


def send(
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

    async def collect(message: dict[str, Any]) -> None:
        sent.append(message)

    photo_app = PhotoApp(echo, create_classifier())
    app = RequestFilter(photo_app, ["Model.example", "[::1]"], LIMIT)
    asyncio.run(app(scope, receive, collect))
    return sent[0]["status"], sent[1]["body"].decode()


async def echo(scope, receive, send) -> None:
    """The scoring server: it replies with the body."""
    message = await receive()
    assert not message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


def test_valid_requests_pass_unchanged() -> None:
    assert send() == (200, GOOD.decode())
    assert send(json.dumps({"instances": [IMAGE]}).encode())[0] == 200
    assert send(content_type="application/json; charset=utf-8")[0] == 200
    assert send(host="MODEL.example")[0] == send(host="[::1]:5001")[0] == 200
    assert send(b"", path="/ping", method="GET") == (200, "")
    whole = json.dumps({"inputs": [[[200.0] * 28] * 28]}).encode()
    assert send(whole) == (200, whole.decode())


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ({"host": "evil.example"}, 403, "unknown host 'evil.example'"),
        ({"host": "model.example.evil.example"}, 403, "unknown host"),
        ({"host": ""}, 403, "unknown host"),
        ({"path": "/docs", "method": "GET"}, 404, "/invocations"),
        ({"path": "/invocations/", "method": "POST"}, 404, "/invocations"),
        ({"method": "GET"}, 405, "/invocations accepts POST"),
        ({"path": "/ping"}, 405, "/ping accepts GET"),
        ({"content_type": "text/csv"}, 415, "application/json, got text/csv"),
        ({"content_type": ""}, 415, "got none"),
        ({"path": "/predict", "content_type": "text/plain"}, 415, "form-data, got text/plain"),
    ],
)
def test_other_hosts_paths_methods_and_types_are_rejected(
    request_: dict[str, str], status: int, message: str
) -> None:
    got, content = send(**request_)
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
    status, content = send(json.dumps({"inputs": values}).encode())
    assert (status, message in json.loads(content)["error"]) == (400, True), content


def test_bodies_that_are_no_requests() -> None:
    nested, digits = b"[" * 9000 + b"]" * 9000, b"9" * 9000
    for body in (
        b"", b"hello", b"\xff\xfe", b"[1, 2]", b"{}", b'{"messages": []}',
        b'{"inputs": [1], "params": {}}', b'{"inputs":%b}' % nested, b'{"inputs": %b}' % digits,
    ):  # fmt: skip
        assert send(body)[0] == 400, body


def test_body_size_is_limited() -> None:
    assert send(GOOD.ljust(LIMIT))[0] == 200
    status, content = send(GOOD.ljust(LIMIT + 1))
    assert (status, "at most 100,000 bytes" in content) == (413, True)
    # A longer body is discarded as it arrives, up to a limit.
    assert send(b" " * LIMIT * 20, parts=100)[0] == 413


def test_body_must_arrive_in_time(monkeypatch) -> None:
    monkeypatch.setattr(module, "_BODY_SECONDS", 0.01)
    assert send(stalls=True)[0] == 408


def form(*photos: bytes, boundary: str = "----x") -> tuple[bytes, str]:
    """Body and content type of a form with these files."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="p<{n}>.jpg"\r\n'
        f"Content-Type: image/jpeg\r\n\r\n".encode()
        + content
        + b"\r\n"
        for n, content in enumerate(photos)
    ]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def test_photos_are_accepted() -> None:
    contents = [PHOTOS["color"][1], PHOTOS["rotated"][1]]
    texts = [base64.b64encode(content).decode() for content in contents]
    body = json.dumps({"images": [texts[0], f"data:image/jpeg;base64,{texts[1]}"]}).encode()
    status, reply = send(body, path="/predict")
    answers = json.loads(reply)
    assert (status, [answer["class"] for answer in answers]) == (200, ["bar", "wedge"])
    assert answers[0]["image"].startswith("data:image/png;base64,")
    assert answers[0]["warning"] is None
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1)

    body, kind = form(*contents)
    _, reply = send(body, path="/predict", content_type=kind)
    assert [answer["class"] for answer in json.loads(reply)] == ["bar", "wedge"]
    _, page = send(body, path="/predict", content_type=kind, accept="text/html,*/*")
    assert page.count("<article>") == 2
    assert "p&lt;0&gt;.jpg" in page
    status, page = send(b"", path="/", method="GET")
    assert (status, "Classes: disc, bar, wedge." in page) == (200, True)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        (b"{}", "application/json", 400, "images"),
        (b'{"images": ["?"]}', "application/json", 400, "base64|characters"),
        (b'{"images": [1]}', "application/json", 400, "expected"),
        (b'{"images": []}', "application/json", 400, "1 to 16 photos, got 0"),
        (b"[" * 90_000, "application/json", 400, "expected"),
        (b'{"images": ["aGFsbG8="]}', "application/json", 400, "image 1: expected a PNG or JPEG"),
        (*form(), 400, "got 0"),
        (*form(*[b"x"] * 17), 400, "got 17"),
        (b"x", "multipart/form-data", 415, "multipart/form-data"),
    ],
)
def test_invalid_uploads_are_rejected(body: bytes, kind: str, status: int, message: str) -> None:
    received, reply = send(body, path="/predict", content_type=kind)
    assert received == status
    assert re.search(message, json.loads(reply)["error"])


def test_a_photo_in_a_form_is_unchanged() -> None:
    content = bytes(range(256)) * 40 + b"\r\n\r\n--y\r\n"
    body, kind = form(content, boundary="zz")
    assert parse_upload(body, kind) == [("p<0>.jpg", content)]
