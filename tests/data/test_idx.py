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
from hypothesis.extra.numpy import arrays

from fmnist.data import idx
from fmnist.errors import BadInput

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint64).astype(np.uint8).reshape(3, 28, 28)
LABELS = np.array([9, 0, 4], dtype=np.uint8)
# Written by hand from the description of the format.
IMAGES_HEADER = bytes.fromhex("00000803 00000003 0000001c 0000001c")
LABELS_HEADER = bytes.fromhex("00000801 00000003")
IMAGES_FILE = IMAGES_HEADER + IMAGES.tobytes()
LABELS_FILE = LABELS_HEADER + b"\x09\x00\x04"
COMPRESSED = gzip.compress(IMAGES_FILE, mtime=0)


def image_header(rows: int, height: int = 28, width: int = 28) -> bytes:
    return struct.pack(">HBB3I", 0, 8, 3, rows, height, width)


def bomb(header: bytes, zeros: int) -> bytes:
    """Return a gzip file of `header` and many more zeros than it announces."""
    packer = zlib.compressobj(9, wbits=31)
    chunk = bytes(1 << 22)
    return b"".join(
        [
            packer.compress(header),
            *(packer.compress(chunk) for _ in range(zeros >> 22)),
            packer.flush(),
        ]
    )


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Run as a user to whom file permissions apply, even if the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def flipped(data: bytes, position: int) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 0xFF
    return bytes(changed)


def test_encode_follows_the_format() -> None:
    assert idx.encode(IMAGES) == IMAGES_FILE
    assert idx.encode(LABELS) == LABELS_FILE


@pytest.mark.parametrize("wrong", [LABELS.astype(np.int64), np.uint8(3)])
def test_encode_rejects_other_arrays(wrong: idx.Bytes) -> None:
    with pytest.raises(ValueError, match="expected a uint8 array with dimensions"):
        idx.encode(np.asarray(wrong))


@pytest.mark.parametrize("array", [IMAGES, LABELS])
def test_checksum_is_that_of_the_decompressed_file(array: idx.Bytes) -> None:
    assert idx.checksum(array) == sha256(idx.encode(array)).hexdigest()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_read_gives_what_was_written(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    suffix = ".gz" if pack is gzip.compress else ""
    images, labels = tmp_path / f"images{suffix}", tmp_path / f"labels{suffix}"
    images.write_bytes(pack(IMAGES_FILE))
    labels.write_bytes(pack(LABELS_FILE))
    assert np.array_equal(idx.read_images(images), IMAGES)
    assert idx.read_labels(labels).tolist() == [9, 0, 4]


def test_arrays_are_read_only(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(IMAGES_FILE)
    assert not idx.read_images(tmp_path / "images").flags.writeable


def test_file_of_many_blocks_is_read_completely(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1000, 28, 28), dtype=np.uint8)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx.encode(images)))
    assert np.array_equal(idx.read_images(path), images)


# File name, content, and a pattern of the error message.
BAD_IMAGES = {
    "empty": ("x", b"", "an IDX file of images, got an empty file"),
    "empty gzip file": ("x.gz", b"", "a gzip file, got an empty file"),
    "gzip of nothing": ("x.gz", gzip.compress(b""), "an IDX file of images, got an empty file"),
    "not gzip": ("x.gz", b"<html>404</html>", "bytes 1f 8b, got 3c 68 74 6d"),
    "uncompressed, but named .gz": ("x.gz", IMAGES_FILE, "bytes 1f 8b, got 00 00 08 03"),
    "compressed, but not named .gz": ("x", COMPRESSED, "bytes 00 00, got 1f 8b"),
    "truncated gzip": ("x.gz", COMPRESSED[:-40], "a complete gzip file, got one truncated"),
    "gzip without its CRC": ("x.gz", COMPRESSED[:-8], "a complete gzip file, got one truncated"),
    "gzip header alone": ("x.gz", COMPRESSED[:6], "a complete gzip file, got one truncated"),
    "wrong CRC": ("x.gz", flipped(COMPRESSED, -6), "damaged one .*incorrect data check"),
    "wrong length": ("x.gz", flipped(COMPRESSED, -2), "damaged one .*incorrect length check"),
    "damaged deflate": ("x.gz", flipped(COMPRESSED, 10), "an intact gzip file, got a damaged"),
    "bytes after the gzip stream": ("x.gz", COMPRESSED + b"\0", "got more bytes after it"),
    "a second gzip stream": ("x.gz", COMPRESSED + COMPRESSED, "got more bytes after it"),
    "wrong magic": ("x", b"\x01" + IMAGES_FILE[1:], "bytes 00 00, got 01 00 08 03"),
    "wrong type code": ("x", flipped(IMAGES_FILE, 2), r"0x08 \(uint8\), got 0xf7"),
    "wrong rank": ("x", LABELS_FILE, r"3 dimension\(s\) for images, got 1"),
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
        "a gzip stream that contains hardly any data",
    ),
}


@pytest.mark.faults
@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_image_files_are_rejected(tmp_path: Path, case: str) -> None:
    name, content, message = BAD_IMAGES[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: (?=expected ).*{message}.*; "):
        idx.read_images(path)


BAD_LABELS = {
    "image file": (IMAGES_FILE, r"expected 1 dimension\(s\) for labels, got 3"),
    "label above 99": (LABELS_HEADER + b"\x09\x64\x00", "from 0 to 99, got 100 in row 1"),
    "no labels": (bytes.fromhex("00000801 00000000"), "expected 1 to 1,000,000 labels"),
    "fewer labels than announced": (LABELS_FILE[:-1], "expected 11 bytes .* 3 labels .* got 10"),
    "more labels than announced": (
        LABELS_FILE + b"\0",
        "expected 11 bytes .* 3 labels .* got more",
    ),
}


@pytest.mark.faults
@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_label_files_are_rejected(tmp_path: Path, case: str) -> None:
    content, message = BAD_LABELS[case]
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: (?=expected ).*{message}.*; "):
        idx.read_labels(path)


def test_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.gz: expected a file of labels, got no such file"):
        idx.read_labels(tmp_path / "gone.gz")


def test_directory_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected a file of images, got a directory"):
        idx.read_images(tmp_path)


def test_named_pipe_is_rejected_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="expected a file of images, got a device or pipe"):
        idx.read_images(tmp_path / "pipe")


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


def check_outcome(read: Callable[[Path], idx.Bytes], data: bytes, path: Path) -> None:
    """The file is read and encodes to the same bytes again, or is rejected by name."""
    path.write_bytes(data)
    try:
        array = read(path)
    except BadInput as error:
        assert str(error).startswith(f"{path}: expected ")
    else:
        assert idx.encode(array) == data


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "file"


@settings(deadline=None)
@given(data=st.binary(max_size=2000))
def test_arbitrary_bytes_are_read_or_rejected(file: Path, data: bytes) -> None:
    check_outcome(idx.read_images, data, file)
    check_outcome(idx.read_labels, data, file)


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """A valid file with some bytes removed, inserted or overwritten, mostly near its start."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, 20) | st.integers(0, len(valid)))
        stop = start + draw(st.integers(0, 8))
        data[start:stop] = draw(st.binary(max_size=8))
    return bytes(data)


@settings(deadline=None)
@given(images=mutated(IMAGES_FILE), labels=mutated(LABELS_FILE))
def test_mutated_files_are_read_or_rejected(file: Path, images: bytes, labels: bytes) -> None:
    check_outcome(idx.read_images, images, file)
    check_outcome(idx.read_labels, labels, file)


@settings(deadline=None)
@given(compressed=mutated(COMPRESSED))
def test_mutated_gzip_files_give_the_images_or_are_rejected(file: Path, compressed: bytes) -> None:
    path = file.with_suffix(".gz")
    path.write_bytes(compressed)
    try:
        images = idx.read_images(path)
    except BadInput as error:
        assert str(error).startswith(f"{path}: expected ")
    else:
        assert np.array_equal(images, IMAGES)


@settings(deadline=None)
@given(
    images=arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(28), st.just(28))),
    labels=arrays(np.uint8, st.integers(1, 50), elements=st.integers(0, 9)),
)
def test_reading_inverts_encoding(file: Path, images: idx.Bytes, labels: idx.Bytes) -> None:
    file.write_bytes(idx.encode(images))
    assert np.array_equal(idx.read_images(file), images)
    file.write_bytes(idx.encode(labels))
    assert np.array_equal(idx.read_labels(file), labels)
