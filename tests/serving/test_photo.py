"""Photos of synthetic objects: preparation, answers, warnings, limits, and HTTP requests."""

import asyncio
import base64
import io
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fmnist.data.dataset import Split
from fmnist.data.image_statistics import ImageStatistics
from fmnist.errors import BadInput
from fmnist.serving import classify, photo
from fmnist.serving.classify import Classifier
from fmnist.serving.upload import PhotoApp, parse_upload

NAMES = ("disc", "bar", "wedge")
Color = tuple[int, int, int]


def draw(name: str, size: tuple[int, int], color: Color, background: Color) -> Image.Image:
    """Draw an object in the left half of an image."""
    image = Image.new("RGB", size, background)
    pen, (width, height) = ImageDraw.Draw(image), size
    box = (width * 0.1, height * 0.2, width * 0.1 + height * 0.6, height * 0.8)
    if name == "disc":
        pen.ellipse(box, fill=color)
    elif name == "bar":
        pen.rectangle((box[0], height * 0.4, box[2], height * 0.6), fill=color)
    else:
        pen.polygon([(box[0], box[3]), (box[2], box[3]), (box[2], box[1])], fill=color)
    return image


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Nearest class mean of noisy images of the three objects, which are light on black."""
    rng = np.random.default_rng(0)
    labels = (np.arange(300) % 3).astype(np.uint8)
    images = []
    for label in labels:
        drawn = draw(NAMES[label], (280, 280), (255, 255, 255), (0, 0, 0)).convert("L")
        cut = drawn.crop(drawn.getbbox())
        scale = 28 / max(cut.size)
        small = np.asarray(cut.resize([round(scale * side) for side in cut.size])).astype(float)
        top = (28 - small.shape[0]) // 2
        image = np.zeros((28, 28))
        image[top : top + small.shape[0], : small.shape[1]] = small
        images.append(np.clip(image * rng.uniform(0.6, 1) + rng.normal(0, 6, (28, 28)), 0, 255))
    split = Split(np.array(images).astype(np.uint8), labels, classes=3)
    means = np.stack([split.images[labels == label].mean(axis=0) for label in range(3)])

    def predict(pixels: np.ndarray) -> np.ndarray:
        distances = ((pixels[:, None] - means) ** 2).mean(axis=(2, 3))
        scores = np.exp(-distances / 500)
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)

    statistics = ImageStatistics.from_bytes(ImageStatistics.fit(split).to_bytes())
    return Classifier(predict, NAMES, statistics)


WHITE, BLACK = (255, 255, 255), (0, 0, 0)
EXIF = Image.Exif()
EXIF[0x0112] = 6  # the camera was rotated by 90 degrees
PHOTOS = {
    "white background": ("wedge", encode(draw("wedge", (640, 480), (40, 40, 40), WHITE), "JPEG")),
    "black background": ("disc", encode(draw("disc", (300, 300), (230, 230, 230), BLACK))),
    "color": ("bar", encode(draw("bar", (640, 480), (200, 30, 30), (240, 235, 220)), "JPEG")),
    "large": ("disc", encode(draw("disc", (6000, 4000), (90, 70, 20), WHITE), "JPEG")),
    "rotated": (
        "wedge",
        encode(
            draw("wedge", (480, 480), (40, 40, 40), WHITE).transpose(Image.Transpose.ROTATE_90),
            "JPEG",
            exif=EXIF,
        ),
    ),
}


def classify_one(classifier: Classifier, content: bytes) -> classify.Answer:
    [answer] = classifier.classify([("photo", photo.decode(content, "photo"))])
    return answer


@pytest.mark.parametrize("kind", PHOTOS)
def test_photos_are_classified(classifier: Classifier, kind: str) -> None:
    name, content = PHOTOS[kind]
    answer = classify_one(classifier, content)
    assert answer.most_probable[0][0] == name
    assert not answer.warning, answer.warning
    inverted = any("inverted" in note for note in answer.prepared.notes)
    assert inverted == (kind != "black background")


def test_an_unusual_photo_is_reported(classifier: Classifier) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 80), dtype=np.uint8)
    assert (
        "unlike the training images" in classify_one(classifier, encode(noise_photo(noise))).warning
    )
    unchecked = Classifier(classifier.predict, NAMES, None)
    assert "no statistics" in classify_one(unchecked, PHOTOS["color"][1]).warning


def noise_photo(noise: np.ndarray) -> Image.Image:
    photo_of_noise = Image.new("L", (120, 120), 255)
    photo_of_noise.paste(Image.fromarray(noise), (20, 20))
    return photo_of_noise


def test_a_small_grayscale_image_is_used_unchanged(classifier: Classifier) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    answer = classify_one(classifier, encode(Image.fromarray(pixels)))
    assert np.array_equal(answer.prepared.image, pixels)


def test_a_transparent_background_is_not_part_of_the_object(classifier: Classifier) -> None:
    image = draw("wedge", (480, 480), (20, 20, 20), WHITE).convert("RGBA")
    image.putalpha(image.convert("L").point(lambda value: 0 if value > 128 else 255))
    assert classify_one(classifier, encode(image)).most_probable[0][0] == "wedge"


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100))
    chunks = [
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
        for part in (chunk, data, b"IEND")
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a PNG or JPEG file, got another file"),
        (encode(Image.new("L", (50, 50)), "GIF"), "a PNG or JPEG file"),
        (PHOTOS["color"][1][:3000], "a PNG or JPEG file"),
        (png_header(10_000, 8_000), "at most 50,000,000 pixels"),
        (png_header(60_000, 60_000), "PNG or JPEG file, got .*decompression bomb"),
        (bytes(photo.MAX_BYTES + 1), "at most 20,000,000 bytes"),
        (encode(Image.new("RGB", (300, 300), (250, 250, 250))), "no object that stands out"),
    ],
)
def test_unusable_photos_are_rejected(classifier: Classifier, content: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=f"^photo: expected .*{message}"):
        classify_one(classifier, content)


def test_files_are_checked_before_the_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"missing\.png: expected .* no such file"):
        classify.predict("models:/none@champion", [tmp_path / "missing.png"], None)


def test_predictions_are_printed_and_saved(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(classify, "load_classifier", lambda model: classifier)
    path = tmp_path / "shoe.jpg"
    path.write_bytes(PHOTOS["color"][1])
    classify.predict("runs:/1", [path], tmp_path / "saved")
    output = capsys.readouterr().out
    assert re.search(r"shoe\.jpg: bar \d+\.\d%, .*\n  cropped to .*; bright background", output)
    with Image.open(tmp_path / "saved" / "shoe-28x28.png") as saved:
        assert saved.size == (28, 28)


@pytest.mark.faults
def test_damaged_statistics_are_reported() -> None:
    with pytest.raises(BadInput, match="statistics of its training images are damaged"):
        ImageStatistics.from_bytes(b"PK no file")


def request(classifier: Classifier, body: bytes, kind: str, **headers: str) -> tuple[int, bytes]:
    """Send a request to /predict, or to / without a body."""
    fields = {"content-type": kind, **headers}
    scope = {
        "type": "http",
        "method": "POST" if body else "GET",
        "path": "/predict" if body else "/",
        "headers": [(key.encode(), value.encode()) for key, value in fields.items()],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def other(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    asyncio.run(PhotoApp(other, classifier)(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


def form(*photos: bytes, boundary: str = "----x") -> tuple[bytes, str]:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="photo"; filename="p<{n}>.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n".encode()
        + content
        + b"\r\n"
        for n, content in enumerate(photos)
    ]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def test_photos_are_accepted_over_http(classifier: Classifier) -> None:
    contents = [PHOTOS["color"][1], PHOTOS["rotated"][1]]
    texts = [base64.b64encode(content).decode() for content in contents]
    body = json.dumps({"images": [texts[0], f"data:image/jpeg;base64,{texts[1]}"]}).encode()
    status, reply = request(classifier, body, "application/json")
    answers = json.loads(reply)
    assert (status, [answer["class"] for answer in answers]) == (200, ["bar", "wedge"])
    assert answers[0]["image"].startswith("data:image/png;base64,")
    assert answers[0]["warning"] is None
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1)

    body, kind = form(*contents)
    _, reply = request(classifier, body, kind)
    assert [answer["class"] for answer in json.loads(reply)] == ["bar", "wedge"]
    _, page = request(classifier, body, kind, accept="text/html,*/*")
    assert page.count(b"<article>") == 2
    assert b"p&lt;0&gt;.jpg" in page


def test_the_upload_page_names_the_classes(classifier: Classifier) -> None:
    status, page = request(classifier, b"", "")
    assert (status, b"Classes: disc, bar, wedge." in page) == (200, True)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        (b"{}", "application/json", 400, "images"),
        (b'{"images": ["?"]}', "application/json", 400, "base64|characters"),
        (b'{"images": [1]}', "application/json", 400, "expected"),
        (b'{"images": []}', "application/json", 400, "1 to 16 photos, got 0"),
        (b"[" * 100_000, "application/json", 400, "expected"),
        (b'{"images": ["aGFsbG8="]}', "application/json", 400, "image 1: expected a PNG or JPEG"),
        (*form(), 400, "got 0"),
        (*form(*[b"x"] * 17), 400, "got 17"),
        (b"x", "multipart/form-data", 415, "multipart/form-data"),
        (b"x", "text/plain", 415, "got text/plain"),
    ],
)
def test_invalid_uploads_are_rejected(
    classifier: Classifier, body: bytes, kind: str, status: int, message: str
) -> None:
    received, reply = request(classifier, body, kind)
    assert received == status
    assert re.search(message, json.loads(reply)["error"])


def test_a_photo_in_a_form_is_unchanged() -> None:
    content = bytes(range(256)) * 40 + b"\r\n\r\n--y\r\n"
    body, kind = form(content, boundary="zz")
    assert parse_upload(body, kind) == [("p<0>.jpg", content)]
