import gzip
import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist.data import idx
from fmnist.errors import BadInput

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint64).astype(np.uint8).reshape(3, 28, 28)
LABELS = np.array([9, 0, 4], dtype=np.uint8)
# Written by hand from the description of the format.
IMAGES_FILE = bytes.fromhex("00000803 00000003 0000001c 0000001c") + IMAGES.tobytes()
LABELS_FILE = bytes.fromhex("00000801 00000003 090004")
COMPRESSED = gzip.compress(IMAGES_FILE, mtime=0)


def image_header(rows: int, height: int = 28, width: int = 28) -> bytes:
    return struct.pack(">HBB3I", 0, 8, 3, rows, height, width)


def bomb(header: bytes, zeros: int) -> bytes:
    """Return a gzip file of `header` and many more zeros than it announces."""
    packer = zlib.compressobj(9, wbits=31)
    chunk = bytes(1 << 22)
    chunks = [packer.compress(header), *(packer.compress(chunk) for _ in range(zeros >> 22))]
    return b"".join([*chunks, packer.flush()])


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Run as a user to whom file permissions apply, even if the tests run as root."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 0xFF
    return bytes(changed)


def test_encode_follows_the_format() -> None:
    assert idx.encode(IMAGES) == IMAGES_FILE
    assert idx.encode(LABELS) == LABELS_FILE
    assert idx.checksum(IMAGES) == sha256(IMAGES_FILE).hexdigest()
    assert idx.checksum(LABELS) == sha256(LABELS_FILE).hexdigest()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_read_gives_what_was_written(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    suffix = ".gz" if pack is gzip.compress else ""
    path = tmp_path / f"file{suffix}"
    many = np.random.default_rng(0).integers(0, 256, (1000, 28, 28), dtype=np.uint8)
    for images in (IMAGES, many):
        path.write_bytes(pack(idx.encode(images)))
        assert np.array_equal(idx.read_images(path), images)
    path.write_bytes(pack(LABELS_FILE))
    assert idx.read_labels(path).tolist() == [9, 0, 4]


# File name, content, and a pattern of the error message.
BAD_IMAGES = {
    "empty": ("x", b"", "an IDX file of images, got an empty file"),
    "empty gzip file": ("x.gz", b"", "gzip file, got an empty file"),
    "gzip of nothing": ("x.gz", gzip.compress(b""), "an IDX file of images, got an empty file"),
    "not gzip": ("x.gz", b"<html>404</html>", "gzip file, got one that starts with 3c 68 74 6d"),
    "uncompressed, but named .gz": ("x.gz", IMAGES_FILE, "starts with 00 00 08 03"),
    "compressed, but not named .gz": ("x", COMPRESSED, "bytes 00 00 08, got 1f 8b"),
    "truncated gzip": ("x.gz", COMPRESSED[:-40], "an intact gzip file, got one truncated"),
    "gzip without its CRC": ("x.gz", COMPRESSED[:-8], "an intact gzip file, got one truncated"),
    "gzip header alone": ("x.gz", COMPRESSED[:6], "an intact gzip file, got one truncated"),
    "wrong CRC": ("x.gz", flipped(COMPRESSED, -6), "intact gzip file, .*incorrect data check"),
    "wrong length": ("x.gz", flipped(COMPRESSED, -2), "intact gzip .*incorrect length check"),
    "damaged deflate": ("x.gz", flipped(COMPRESSED, 10), "an intact gzip file, got Error"),
    "bytes after the gzip stream": ("x.gz", COMPRESSED + b"\0", "got more bytes after its end"),
    "a second gzip stream": ("x.gz", COMPRESSED + COMPRESSED, "got more bytes after its end"),
    "wrong magic": ("x", b"\x01" + IMAGES_FILE[1:], "bytes 00 00 08, got 01 00 08 03"),
    "wrong type code": ("x", flipped(IMAGES_FILE, 2), "bytes 00 00 08, got 00 00 f7 03"),
    "wrong rank": ("x", LABELS_FILE + bytes(5), r"3 dimension\(s\) for images, got 1"),
    "cut in its header": ("x", IMAGES_FILE[:15], "a header of 16 bytes, got a file of 15 bytes"),
    "one byte": ("x", b"\0", "got 00"),
    "wrong image size": ("x", image_header(3, 32, 28) + bytes(3 * 896), "28 x 28 .* got 32 x 28"),
    "no images": ("x", image_header(0), "1 to 1,000,000 images, got a header with 0"),
    "too many images": ("x", image_header(1_000_001), "1 to 1,000,000 .* with 1,000,001"),
    "too few bytes": ("x", IMAGES_FILE[:-1], "2,368 bytes .* got 2,367"),
    "too many bytes": ("x", IMAGES_FILE + b"\0", "2,368 bytes .* got more"),
    "too few compressed": ("x.gz", gzip.compress(IMAGES_FILE[:-1]), "2,368 .* got 2,367"),
    "too many compressed": ("x.gz", gzip.compress(IMAGES_FILE + b"\0"), "2,368 .* got more"),
    "bomb with too many rows": ("x.gz", bomb(image_header(2**32 - 1), 1 << 24), "4,294,967,295"),
    "bomb": ("x.gz", bomb(image_header(3), 1 << 24), "2,368 bytes .* got more"),
    "empty blocks": (
        "x.gz",
        COMPRESSED[:10] + bytes.fromhex("000000ffff") * 500_000,
        "one that contains hardly any data",
    ),
}
BAD_LABELS = {
    "images instead of labels": ("x", IMAGES_FILE, r"1 dimension\(s\) for labels, got 3"),
    "no labels": ("x", bytes.fromhex("00000801 00000000"), "1 to 1,000,000 labels"),
    "too few labels": ("x", LABELS_FILE[:-1], "11 bytes .* 3 labels .* got 10"),
    "too many labels": ("x", LABELS_FILE + b"\0", "11 bytes .* 3 labels .* got more"),
}


@pytest.mark.faults
@pytest.mark.parametrize("case", BAD_IMAGES | BAD_LABELS)
def test_bad_files_are_rejected(tmp_path: Path, case: str) -> None:
    name, content, message = (BAD_IMAGES | BAD_LABELS)[case]
    read = idx.read_images if case in BAD_IMAGES else idx.read_labels
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: (?=expected ).*{message}.*; "):
        read(path)


def test_missing_and_special_files_are_rejected_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, received in (
        ("gone.gz", "no such file"),
        (".", "a directory"),
        ("pipe", "a device or pipe"),
    ):
        with pytest.raises(BadInput, match=f"expected a file of labels, got {received}"):
            idx.read_labels(tmp_path / name)


def test_unreadable_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(IMAGES_FILE)
    path.chmod(0)
    with (
        ordinary_user(),
        pytest.raises(BadInput, match="expected a readable file, got Permission denied"),
    ):
        idx.read_images(path)


@pytest.mark.faults
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's peak memory")
@pytest.mark.parametrize(("zeros", "kilobytes"), [(400 << 20, 500_000), (0, 100_000)])
def test_exaggerated_row_count_needs_little_memory(
    tmp_path: Path, zeros: int, kilobytes: int
) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(bomb(image_header(idx.MAX_ROWS), zeros))
    script = f"""
from pathlib import Path
from fmnist.data import idx
from fmnist.errors import BadInput
try:
    idx.read_images(Path({str(path)!r}))
except BadInput:
    print("rejected yes")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print("kilobytes", status["VmHWM"].split()[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    output = dict(line.split() for line in done.stdout.splitlines())
    assert output["rejected"] == "yes"
    assert int(output["kilobytes"]) < kilobytes


def test_idx_imports_only_numpy() -> None:
    script = (
        "import sys, numpy; before = set(sys.modules); import fmnist.data.idx;"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}"
        " - {'fmnist', 'numpy'} - sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """A valid file with some bytes removed, inserted or overwritten, mostly near its start."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, 20) | st.integers(0, len(valid)))
        stop = start + draw(st.integers(0, 8))
        data[start:stop] = draw(st.binary(max_size=8))
    return bytes(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def read_or_reject(read: Callable[[Path], idx.Bytes], path: Path, content: bytes) -> bytes | None:
    """Return the array of a file as an IDX file, None if it is rejected by name."""
    path.write_bytes(content)
    try:
        return idx.encode(read(path))
    except BadInput as error:
        assert str(error).startswith(f"{path}: expected ")
        return None


@pytest.mark.faults
@settings(deadline=None)
@given(
    images=mutated(IMAGES_FILE),
    labels=mutated(LABELS_FILE) | st.binary(max_size=20),
    compressed=mutated(COMPRESSED),
)
def test_mutated_files_are_read_or_rejected(
    folder: Path, images: bytes, labels: bytes, compressed: bytes
) -> None:
    assert read_or_reject(idx.read_images, folder / "images", images) in (images, None)
    assert read_or_reject(idx.read_labels, folder / "labels", labels) in (labels, None)
    decompressed = read_or_reject(idx.read_images, folder / "images.gz", compressed)
    assert decompressed in (IMAGES_FILE, None)
