"""Photos in HTTP requests: JSON with base64, or the multipart form of the upload page."""

import asyncio
import base64
import binascii
import json
import threading
from email.message import Message
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

Files = list[tuple[str, bytes]]

_PAGE: Final = jinja2.Environment(autoescape=True).from_string("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Classify photos</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
article { display: flex; gap: 1.5rem; border-top: 1px solid #ccc; padding: 1rem 0 }
img { width: 112px; height: 112px; image-rendering: pixelated; border: 1px solid #ccc }
.warning { background: #fff3cd; padding: .3rem .6rem }
p { margin: .2rem 0 }
</style>
<h1>Classify photos</h1>
<form method="post" action="predict" enctype="multipart/form-data">
<p>One object on a plain background, PNG or JPEG. Classes: {{ class_names | join(", ") }}.</p>
<p><input type="file" name="photo" accept="image/png,image/jpeg" multiple required
aria-label="photos"> <button>Classify</button></p>
</form>
{% for answer, image in answers %}
<article><img src="data:image/png;base64,{{ image }}" alt="image that the model received">
<div><p><strong>{{ answer.name }}</strong></p>
{% for name, p in answer.most_probable[:3] %}
<p>{{ name }} {{ "%.1f" | format(100 * p) }} %</p>{% endfor %}
<p>{{ answer.prepared.notes | join("; ") }}</p>
{% if answer.warning %}<p class="warning">{{ answer.warning }}</p>{% endif %}
</div></article>
{% endfor %}
</html>
""")


class PhotoApp:
    """ASGI application: `/` is the upload page, `/predict` classifies; others go to `app`.

    Args:
        app: the scoring server.
    """

    def __init__(self, app: ASGIApp, classifier: Classifier) -> None:
        self._app = app
        self._classifier = classifier
        self._one_at_a_time = threading.Lock()  # a decoded photo takes up to 150 MB

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        if scope["type"] != "http" or path not in ("/", "/predict"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        response: Response = HTMLResponse(self._page([]))
        if path == "/predict":
            try:
                files = parse_upload(await request.body(), request.headers.get("content-type", ""))
                answers = await asyncio.to_thread(self._classify, files)
                response = JSONResponse([_as_json(answer) for answer in answers])
                if "text/html" in request.headers.get("accept", ""):
                    response = HTMLResponse(self._page(answers))
            except HTTPException as error:
                response = JSONResponse({"error": error.detail}, error.status_code)
            except BadInput as error:
                response = JSONResponse({"error": str(error)}, 400)
        await response(scope, receive, send)

    def _classify(self, files: Files) -> list[Answer]:
        with self._one_at_a_time:
            photos = [(name, photo.decode(content, name)) for name, content in files]
            return self._classifier.classify(photos)

    def _page(self, answers: list[Answer]) -> str:
        images = [base64.b64encode(photo.encode_png(a.prepared.image)).decode() for a in answers]
        return _PAGE.render(
            class_names=self._classifier.class_names,
            answers=list(zip(answers, images, strict=True)),
        )


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
    except (AttributeError, KeyError, RecursionError, TypeError, binascii.Error, ValueError) as e:
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


def _as_json(answer: Answer) -> dict[str, object]:
    png = base64.b64encode(photo.encode_png(answer.prepared.image)).decode()
    return answer.as_json() | {"image": f"data:image/png;base64,{png}"}
