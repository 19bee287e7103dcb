"""MLflow's scoring server behind a middleware that rejects requests the model cannot answer.

MLflow's own server accepts bodies of any size and any Host header, converts text, booleans and
fractions to pixels without an error (images scaled to 0..1 become black), and replies with status
500 to deeply nested JSON.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Final

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fmnist.data.idx import SIDE
from fmnist.serving.classify import as_classifier, load_model

_METHODS: Final = {
    "/": "GET", "/ping": "GET", "/health": "GET", "/version": "GET", "/invocations": "POST",
    "/predict": "POST",
}  # fmt: skip
_CONTENT_TYPES: Final = {
    "/invocations": ("application/json",),
    "/predict": ("application/json", "multipart/form-data"),
}
_FIELDS: Final = ("inputs", "instances")
_BODY_SECONDS: Final = 30.0
_MAX_CONCURRENT_REQUESTS: Final = 64
# A client does not read the reply before it has sent its body, so up to this many times the limit
# is received and discarded.
_DISCARDED_BODIES: Final = 10
_KINDS: Final = {"f": "fractions; send unscaled pixels", "b": "booleans", "U": "text"}


def serve(model: str, host: str, port: int, hosts: str, max_megabytes: float) -> None:
    """Serve a model until interrupted.

    Args:
        hosts: accepted Host headers, comma-separated, without port.
        max_megabytes: largest accepted body; an image in /invocations has up to 0.004.
    """
    app = create_app(model, [name.strip() for name in hosts.split(",")], int(max_megabytes * 1e6))
    import uvicorn

    uvicorn.run(
        app,
        host=host,
        port=port,
        limit_concurrency=_MAX_CONCURRENT_REQUESTS,
        server_header=False,
    )


def create_app(model: str, hosts: Iterable[str], max_bytes: int) -> ASGIApp:
    """Load a model and create its server: an upload page at /, /predict, and MLflow's addresses.

    Args:
        model: such as `models:/lenet5@champion`; see `tracking.model.load_scored_model`.
    """
    scored = load_model(model)
    from fmnist.serving.upload import PhotoApp
    from fmnist.tracking.model import scoring_app

    return RequestFilter(PhotoApp(scoring_app(scored), as_classifier(scored)), hosts, max_bytes)


class RequestFilter:
    """ASGI middleware.

    Args:
        hosts: accepted names in the Host header; the port is ignored.
        max_bytes: largest accepted body.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], max_bytes: int) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            self._check_headers(request)
            body = await asyncio.wait_for(self._read_body(request), _BODY_SECONDS)
            if request.scope["path"] == "/invocations":
                await asyncio.to_thread(check_images, body)
        except HTTPException as error:
            await _error(error.status_code, error.detail)(scope, receive, send)
        except TimeoutError:
            message = f"the body was not received within {_BODY_SECONDS:.0f} s"
            await _error(408, message)(scope, receive, send)
        except ClientDisconnect:
            return
        else:
            await self._app(scope, _replay(body, receive), send)

    def _check_headers(self, request: Request) -> None:
        name, _, port = request.headers.get("host", "").rpartition(":")
        host = (name if port.isdigit() else request.headers.get("host", "")).lower()
        if host not in self._hosts:
            raise HTTPException(403, f"unknown host {host!r}; see --hosts")
        path = request.scope["path"]
        method = _METHODS.get(path)
        if method is None:
            raise HTTPException(404, f"expected one of {', '.join(_METHODS)}")
        if request.method != method:
            raise HTTPException(405, f"{path} accepts {method} only")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip()
        expected = _CONTENT_TYPES.get(path, (content_type,))
        if content_type not in expected:
            got = content_type or "none"
            raise HTTPException(415, f"expected Content-Type {' or '.join(expected)}, got {got}")

    async def _read_body(self, request: Request) -> bytes:
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size <= self._max_bytes:
                chunks.append(chunk)
            elif size > self._max_bytes * _DISCARDED_BODIES:
                break
        if size > self._max_bytes:
            limit = f"{self._max_bytes:,} bytes"
            raise HTTPException(413, f"expected at most {limit}; send fewer images per request")
        return b"".join(chunks)


def check_images(body: bytes) -> None:
    """Check that a body is JSON with images and nothing else.

    Raises:
        HTTPException: it is not; the detail says what was expected and received.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"expected JSON: {error}") from error
    if not isinstance(content, dict) or len(content) != 1 or not content.keys() & set(_FIELDS):
        raise HTTPException(400, 'expected {"inputs": images} without other fields')
    [values] = content.values()
    expected = "expected images as nested lists (n, 28, 28) of integers from 0 to 255"
    try:
        images = np.array(values)
    except (ValueError, OverflowError) as error:
        raise HTTPException(400, f"{expected}, got lists of unequal length") from error
    if images.shape[1:] != (SIDE, SIDE) or not len(images):
        raise HTTPException(400, f"{expected}, got shape {images.shape}")
    # Whole numbers written as 200.0 are pixels, too.
    is_whole = images.dtype.kind == "f" and bool(
        (np.isfinite(images) & (images == np.floor(images))).all()
    )
    if images.dtype.kind != "i" and not is_whole:
        got = _KINDS.get(images.dtype.kind, "other values")
        raise HTTPException(400, f"{expected}, got {got}")
    low, high = int(images.min()), int(images.max())
    if low < 0 or high > np.iinfo(np.uint8).max:
        raise HTTPException(400, f"{expected}, got {low} to {high}")


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status, {"connection": "close"})


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields a body already read, then the following messages."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
