"""Photos in HTTP requests: JSON with base64, or the multipart form of the upload page."""

import asyncio
import base64
import json
import threading
from email.message import Message
from pathlib import Path
from typing import Final

import jinja2
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fmnist.errors import BadInput
from fmnist.serving import photo
from fmnist.serving.classify import Answer, Classifier

MAX_PHOTOS: Final = 16
_EXPECTED: Final = (
    'expected {"images": [base64, …]} as application/json, or files as multipart/form-data'
)
_PAGE: Final = Path(__file__).with_name("upload.html.jinja")

Files = list[tuple[str, bytes]]


class PhotoApp:
    """ASGI application: `/` is the upload page, `/predict` classifies; others go to `app`.

    Args:
        app: the scoring server.
    """

    def __init__(self, app: ASGIApp, classifier: Classifier) -> None:
        self._app = app
        self._classifier = classifier
        self._template = jinja2.Environment(autoescape=True).from_string(_PAGE.read_text("utf-8"))
        self._one_at_a_time = threading.Lock()  # a decoded photo takes up to 150 MB

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        if scope["type"] != "http" or path not in ("/", "/predict"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        response = self._page([]) if path == "/" else await self._predict(request)
        await response(scope, receive, send)

    async def _predict(self, request: Request) -> Response:
        try:
            files = parse_upload(await request.body(), request.headers.get("content-type", ""))
            answers = await asyncio.to_thread(self._classify, files)
        except HTTPException as error:
            return JSONResponse({"error": error.detail}, error.status_code)
        except BadInput as error:
            return JSONResponse({"error": str(error)}, 400)
        if "text/html" in request.headers.get("accept", ""):
            return self._page(answers)
        return JSONResponse([answer.as_json() for answer in answers])

    def _classify(self, files: Files) -> list[Answer]:
        with self._one_at_a_time:
            photos = [(name, photo.decode(content, name)) for name, content in files]
            return self._classifier.classify(photos)

    def _page(self, answers: list[Answer]) -> HTMLResponse:
        class_names = self._classifier.class_names
        return HTMLResponse(self._template.render(class_names=class_names, answers=answers))


def parse_upload(body: bytes, content_type: str) -> Files:
    """Return name and content of each photo in a request.

    Raises:
        HTTPException: the request has another form.
    """
    header = Message()
    header["content-type"] = content_type
    kind, boundary = header.get_content_type(), header.get_param("boundary")
    if kind == "application/json":
        files = _parse_json(body)
    elif kind == "multipart/form-data" and isinstance(boundary, str) and boundary:
        files = _parse_form(body, boundary.encode())
    else:
        raise HTTPException(415, f"{_EXPECTED}, got {content_type or 'no content type'}")
    if not 1 <= len(files) <= MAX_PHOTOS:
        raise HTTPException(400, f"expected 1 to {MAX_PHOTOS} photos, got {len(files)}")
    return files


def _parse_json(body: bytes) -> Files:
    try:
        images = json.loads(body)["images"]
        if not isinstance(images, list):
            raise TypeError("no list")
        return [
            (f"image {number}", base64.b64decode(image.partition(",")[2] or image, validate=True))
            for number, image in enumerate(images, start=1)
        ]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as e:
        raise HTTPException(400, f"{_EXPECTED}: {e}") from e


def _parse_form(body: bytes, boundary: bytes) -> Files:
    files = []
    # Each part is preceded by CRLF and the boundary; the first one may lack the CRLF.
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, found, content = part.partition(b"\r\n\r\n")
        header = Message()
        for line in head.decode("utf-8", "replace").splitlines():
            key, _, value = line.partition(":")
            if key.lower() == "content-disposition":
                header[key] = value.strip()
        name = header.get_filename()
        if found and name and content:
            files.append((name[:100], content))
    return files
