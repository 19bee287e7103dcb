"""Turn a photo of one object into an image like those that a model was trained on.

Fashion-MNIST was created from product photos with the same steps: crop to the object, scale its
longer side, center it, invert and convert to grayscale (Xiao, Rasul and Vollgraf, "Fashion-MNIST",
2017).
"""

import io
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from fmnist.data.idx import SIDE, Bytes
from fmnist.data.image_statistics import ImageStatistics
from fmnist.errors import BadInput

MAX_BYTES: Final = 20_000_000
MAX_PIXELS: Final = 50_000_000
_WORK_SIDE: Final = 512  # photos are reduced to this size first
_BRIGHT: Final = 128
_MIN_CONTRAST: Final = 24  # of the object to the background, of 255
_FOREGROUND: Final = 0.25  # fraction of the largest difference to the background
_MIN_SIDE: Final = 3  # pixels of an object


class Prepared(NamedTuple):
    """An image for the model, (28, 28) uint8, and what was done to get it."""

    image: Bytes
    notes: tuple[str, ...]


def decode(content: bytes, name: str) -> Bytes:
    """Decode a PNG or JPEG file within limits on size; EXIF orientation is applied.

    Returns:
        (height, width, 3) uint8 with at most 512 pixels a side, or (28, 28) for a grayscale file of
        this size, which `prepare` does not change.

    Raises:
        BadInput: the file is too large, damaged or of another format.
    """
    if len(content) > MAX_BYTES:
        raise BadInput(
            f"{name}: expected a photo of at most {MAX_BYTES:,} bytes, got {len(content):,}; "
            "reduce it"
        )
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadInput(
                    f"{name}: expected at most {MAX_PIXELS:,} pixels, got {image.width:,} x "
                    f"{image.height:,}; reduce it"
                )
            mode = "L" if image.size == (SIDE, SIDE) and image.mode == "L" else "RGB"
            image.draft("RGB", (2 * _WORK_SIDE, 2 * _WORK_SIDE))  # decodes a large JPEG reduced
            image.thumbnail((_WORK_SIDE, _WORK_SIDE))
            return np.asarray(_flatten(ImageOps.exif_transpose(image)).convert(mode))
    except UnidentifiedImageError as error:  # its message contains a memory address
        raise BadInput(f"{name}: expected a PNG or JPEG file, got another file") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise BadInput(f"{name}: expected a PNG or JPEG file, got {error}") from error


def prepare(pixels: Bytes, name: str, statistics: ImageStatistics | None) -> Prepared:
    """Crop to the object, convert to grayscale, match the training background and size.

    Args:
        pixels: of `decode`.
        statistics: of the training images; None for a model without them, whose training images
            are assumed to have a black background and to be filled.

    Raises:
        BadInput: no object stands out from the background.
    """
    if pixels.ndim == 2:
        return Prepared(pixels, ("28 x 28 grayscale image, used unchanged",))
    background, side = (0, SIDE) if statistics is None else (
        statistics.background, statistics.object_side,
    )  # fmt: skip
    top, bottom, left, right = _find_object(pixels, name)
    gray = np.asarray(Image.fromarray(pixels).convert("L")).astype(np.float64)
    level = float(np.median(_border(gray)))
    notes = [f"cropped to {right - left} x {bottom - top} of {gray.shape[1]} x {gray.shape[0]}"]
    inverted = (level >= _BRIGHT) != (background >= _BRIGHT)
    if inverted:
        kind = "bright" if level >= _BRIGHT else "dark"
        notes.append(f"{kind} background: the image was inverted")
        gray, level = 255 - gray, 255 - level
    # The background gets the value it has in the training images, the object the full range.
    difference = (gray - level)[top:bottom, left:right]
    difference = np.clip(difference if background < _BRIGHT else -difference, 0, None)
    difference *= 255 / max(float(np.percentile(difference, 99.5)), 1.0)
    cut = Image.fromarray(np.clip(difference, 0, 255).astype(np.uint8))
    scale = side / max(cut.size)
    size = [max(1, round(length * scale)) for length in cut.size]
    small = np.asarray(cut.resize((size[0], size[1]), Image.Resampling.LANCZOS))
    image = np.zeros((SIDE, SIDE), np.uint8)
    row, column = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    image[row : row + size[1], column : column + size[0]] = small
    return Prepared(255 - image if background >= _BRIGHT else image, tuple(notes))


def encode_png(image: Bytes) -> bytes:
    """Encode an image as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def _flatten(image: Image.Image) -> Image.Image:
    """Put a transparent image on a background that its object stands out from."""
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    values = np.asarray(rgba).astype(np.float64)
    opaque = values[..., 3] > _BRIGHT
    is_dark = not opaque.any() or values[opaque][:, :3].mean() < _BRIGHT
    back = Image.new("RGBA", rgba.size, "white" if is_dark else "black")
    return Image.alpha_composite(back, rgba)


def _find_object(pixels: Bytes, name: str) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of the pixels that differ from the border's color."""
    smooth = np.asarray(Image.fromarray(pixels).filter(ImageFilter.MedianFilter(3)))
    color = np.median(_border(smooth), axis=0)
    difference = np.abs(smooth - color).max(axis=2)
    largest = float(np.percentile(difference, 99.9))
    mask = difference > max(_MIN_CONTRAST, _FOREGROUND * largest)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) < _MIN_SIDE or len(columns) < _MIN_SIDE:
        raise BadInput(
            f"{name}: expected a photo of one object on a plain background, got no object that "
            "stands out; use more light or another background"
        )
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _border(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the pixels at the edge of an image, (n,) or (n, channels)."""
    height, width = pixels.shape[:2]
    margin = max(1, min(height, width) // 50)
    edge = np.ones((height, width), bool)
    edge[margin:-margin, margin:-margin] = False
    return pixels[edge]
