"""A classifier of three synthetic objects, and photos of them."""

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from fmnist.data.dataset import Split
from fmnist.data.image_statistics import ImageStatistics
from fmnist.serving.classify import Classifier

NAMES = ("disc", "bar", "wedge")
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
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


def _photos() -> dict[str, tuple[str, bytes]]:
    dark = (40, 40, 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was rotated by 90 degrees
    rotated = draw("wedge", (480, 480), dark, WHITE).transpose(Image.Transpose.ROTATE_90)
    transparent = draw("wedge", (480, 480), dark, WHITE).convert("RGBA")
    transparent.putalpha(transparent.convert("L").point(lambda value: 0 if value > 128 else 255))
    return {
        "white background": ("wedge", encode(draw("wedge", (640, 480), dark, WHITE), "JPEG")),
        "black background": ("disc", encode(draw("disc", (300, 300), (230, 230, 230), BLACK))),
        "transparent background": ("wedge", encode(transparent)),
        "color": ("bar", encode(draw("bar", (640, 480), (200, 30, 30), (240, 235, 220)), "JPEG")),
        "large": ("disc", encode(draw("disc", (6000, 4000), (90, 70, 20), WHITE), "JPEG")),
        "rotated": ("wedge", encode(rotated, "JPEG", exif=exif)),
    }


# Object and content of the file, by kind of photo.
PHOTOS = _photos()


@cache
def create_classifier() -> Classifier:
    """Nearest class mean of noisy images of the three objects, which are light on black."""
    rng = np.random.default_rng(0)
    labels = (np.arange(300) % len(NAMES)).astype(np.uint8)
    images = []
    for label in labels:
        drawn = draw(NAMES[label], (280, 280), WHITE, BLACK).convert("L")
        cut = ImageOps.contain(drawn.crop(drawn.getbbox()), (28, 28), Image.Resampling.BICUBIC)
        image = Image.new("L", (28, 28))
        image.paste(cut, (0, (28 - cut.height) // 2))
        noise = rng.normal(0, 6, (28, 28))
        images.append(np.clip(np.asarray(image) * rng.uniform(0.6, 1) + noise, 0, 255))
    split = Split(np.array(images).astype(np.uint8), labels, classes=len(NAMES))
    means = np.stack([split.images[labels == label].mean(axis=0) for label in range(len(NAMES))])

    def predict(pixels: np.ndarray) -> np.ndarray:
        distances = ((pixels[:, None] - means) ** 2).mean(axis=(2, 3))
        scores = np.exp(-distances / 500)
        return (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)

    statistics = ImageStatistics.from_bytes(ImageStatistics.fit(split).to_bytes())
    return Classifier(predict, NAMES, statistics)
