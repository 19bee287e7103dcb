"""Photos of synthetic objects: preparation, answers, warnings and limits."""

import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmnist.data.image_statistics import ImageStatistics
from fmnist.errors import BadInput
from fmnist.serving import classify, photo
from fmnist.serving.classify import Classifier
from tests.helpers.photos import PHOTOS, create_classifier, encode


def classify_one(content: bytes, classifier: Classifier | None = None) -> classify.Answer:
    photos = [("photo", photo.decode(content, "photo"))]
    [answer] = (classifier or create_classifier()).classify(photos)
    return answer


def test_photos_are_classified() -> None:
    for kind, (name, content) in PHOTOS.items():
        answer = classify_one(content)
        assert answer.most_probable[0][0] == name
        assert not answer.warning, answer.warning
        inverted = any("inverted" in note for note in answer.prepared.notes)
        assert inverted == (kind != "black background")


def test_an_unusual_photo_is_reported() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 80), dtype=np.uint8)
    unusual = Image.new("L", (120, 120), 255)
    unusual.paste(Image.fromarray(noise), (20, 20))
    assert "unlike the training images" in classify_one(encode(unusual)).warning
    unchecked = replace(create_classifier(), statistics=None)
    assert "no statistics" in classify_one(PHOTOS["color"][1], unchecked).warning


def test_a_small_grayscale_image_is_used_unchanged() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    answer = classify_one(encode(Image.fromarray(pixels)))
    assert np.array_equal(answer.prepared.image, pixels)


def png_header(width: int, height: int) -> bytes:
    chunks = (
        b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0),
        b"IDAT" + zlib.compress(bytes(100)),
        b"IEND",
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


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
def test_unusable_photos_are_rejected(content: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=f"^photo: expected .*{message}"):
        classify_one(content)


def test_files_are_checked_before_the_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"missing\.png: expected .* no such file"):
        classify.predict("models:/none@champion", [tmp_path / "missing.png"], None)


def test_predictions_are_printed_and_saved(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(classify, "load_model", lambda model: None)
    monkeypatch.setattr(classify, "as_classifier", lambda stored: create_classifier())
    path = tmp_path / "shoe.jpg"
    path.write_bytes(PHOTOS["color"][1])
    classify.predict("runs:/1", [path], tmp_path / "saved")
    output = capsys.readouterr().out
    assert re.search(r"shoe\.jpg: bar \d+\.\d %, .*\n  cropped to .*; bright background", output)
    with Image.open(tmp_path / "saved" / "shoe-28x28.png") as saved:
        assert saved.size == (28, 28)


@pytest.mark.faults
def test_damaged_statistics_are_reported() -> None:
    with pytest.raises(BadInput, match="statistics of its training images are damaged"):
        ImageStatistics.from_bytes(b"PK no file")
