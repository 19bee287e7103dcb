"""What stands in front of MLflow's scoring server: only requests that it can answer pass.

The plain server works on a body of any size, answers any host name, turns text, truth values and
fractions into pixels in silence (images scaled to 0..1 become black ones), and fails with 500 on
deep nesting.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import numpy as np

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

PIXELS: Final = (28, 28)
_METHODS: Final = {"/ping": "GET", "/health": "GET", "/version": "GET", "/invocations": "POST"}
_FIELDS: Final = ("inputs", "instances")
_BODY_SECONDS: Final = 30.0
# A client that is cut off while it sends never reads why: this many times the limit is thrown away
# before the answer.
_PATIENCE: Final = 10


class Refused(Exception):
    """A request that does not pass, with the status and the reason that its sender is told."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Gate:
    """An ASGI application around another.

    Args:
        hosts: names that a Host header may say, exactly; the port does not count.
        most_bytes: of a body.
    """

    def __init__(self, app: App, hosts: frozenset[str], most_bytes: int) -> None:
        self._app = app
        self._hosts = hosts
        self._most_bytes = most_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check_head(scope)
            body = await asyncio.wait_for(self._read(receive), _BODY_SECONDS)
            if scope["method"] == "POST":
                await asyncio.to_thread(check_images, body)
        except Refused as refused:
            await _answer(send, refused.status, str(refused))
        except TimeoutError:
            await _answer(send, 408, f"the body did not come within {_BODY_SECONDS:.0f} s")
        else:
            await self._app(scope, _replay(body, receive), send)

    def _check_head(self, scope: Message) -> None:
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        host = _without_port(headers.get(b"host", b"").decode("latin-1"))
        if host not in self._hosts:
            raise Refused(403, f"this server is not called {host!r}; see --hosts")
        method = _METHODS.get(scope["path"])
        if method is None:
            raise Refused(404, f"there is {', '.join(_METHODS)}")
        if scope["method"] != method:
            raise Refused(405, f"{scope['path']} takes {method}")
        kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip()
        if method == "POST" and kind != "application/json":
            raise Refused(415, f"wanted Content-Type application/json, got {kind or 'none'}")

    async def _read(self, receive: Receive) -> bytes:
        parts, size = [], 0
        while size <= self._most_bytes * _PATIENCE:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            size += len(message.get("body", b""))
            if size <= self._most_bytes:
                parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                break
        if size > self._most_bytes:
            raise Refused(
                413, f"wanted at most {self._most_bytes:,} bytes; send fewer images at a time"
            )
        return b"".join(parts)


def check_images(body: bytes) -> None:
    """Return when the body is JSON that holds images, and nothing else.

    Raises:
        Refused: it is not; the reason says what was wanted and what came.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"wanted JSON, got something else: {error}") from error
    if not isinstance(told, dict) or len(told) != 1 or not told.keys() & set(_FIELDS):
        raise Refused(400, 'wanted {"inputs": images} and no other field')
    [given] = told.values()
    wanted = f"wanted images as lists (n, {PIXELS[0]}, {PIXELS[1]}) of whole numbers 0 to 255"
    try:
        images = np.array(given)
    except (ValueError, OverflowError) as error:
        raise Refused(400, f"{wanted}, got lists of unequal length") from error
    if images.ndim != 1 + len(PIXELS) or images.shape[1:] != PIXELS or not len(images):
        raise Refused(400, f"{wanted}, got {images.shape}")
    if images.dtype.kind != "i":
        raise Refused(400, f"{wanted}, got {_KINDS.get(images.dtype.kind, 'other values')}")
    low, high = int(images.min()), int(images.max())
    if low < 0 or high > np.iinfo(np.uint8).max:
        raise Refused(400, f"{wanted}, got {low} to {high}")


_KINDS: Final = {
    "f": "fractions; pixels are not scaled, the model does that",
    "b": "truth values",
    "U": "text",
}


def _without_port(host: str) -> str:
    """The name in a Host header, in lower case; brackets of an IPv6 address stay."""
    name, _, port = host.rpartition(":")
    return (name if port.isdigit() else host).lower()


def _replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, then whatever comes."""
    first = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


async def _answer(send: Send, status: int, reason: str) -> None:
    content = json.dumps({"error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
