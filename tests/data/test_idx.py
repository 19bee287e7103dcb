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
# Worked out by hand from the format's description, not by the code under test.
IMAGES_HEADER = bytes.fromhex("00000803 00000003 0000001c 0000001c")
LABELS_HEADER = bytes.fromhex("00000801 00000003")
IMAGES_FILE = IMAGES_HEADER + IMAGES.tobytes()
LABELS_FILE = LABELS_HEADER + b"\x09\x00\x04"
PACKED = gzip.compress(IMAGES_FILE, mtime=0)


def image_header(rows: int, height: int = 28, width: int = 28) -> bytes:
    return struct.pack(">HBB3I", 0, 8, 3, rows, height, width)


def bomb(header: bytes, zeros: int) -> bytes:
    """A gzip file of `header` and far more zeros than it counts, made without unpacking it."""
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
    """As a user whom permissions bind, even where tests run as root."""
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


def test_encode_writes_the_format_as_described() -> None:
    assert idx.encode(IMAGES) == IMAGES_FILE
    assert idx.encode(LABELS) == LABELS_FILE


@pytest.mark.parametrize("wrong", [LABELS.astype(np.int64), np.uint8(3)])
def test_encode_takes_uint8_with_dimensions_only(wrong: idx.Bytes) -> None:
    with pytest.raises(ValueError, match="wanted a uint8 array with dimensions"):
        idx.encode(np.asarray(wrong))


@pytest.mark.parametrize("array", [IMAGES, LABELS])
def test_checksum_is_that_of_the_unpacked_file(array: idx.Bytes) -> None:
    assert idx.checksum(array) == sha256(idx.encode(array)).hexdigest()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_read_gives_what_was_written(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    suffix = ".gz" if pack is gzip.compress else ""
    images, labels = tmp_path / f"images{suffix}", tmp_path / f"labels{suffix}"
    images.write_bytes(pack(IMAGES_FILE))
    labels.write_bytes(pack(LABELS_FILE))
    assert np.array_equal(idx.read_images(images), IMAGES)
    assert idx.read_labels(labels).tolist() == [9, 0, 4]


def test_arrays_are_views_of_the_bytes() -> None:
    images = idx.parse_images(IMAGES_FILE, "images")
    assert np.shares_memory(images, np.frombuffer(IMAGES_FILE, np.uint8))


def test_arrays_are_read_only(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(IMAGES_FILE)
    assert not idx.read_images(tmp_path / "images").flags.writeable


def test_an_image_file_of_many_chunks_is_read_whole(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1000, 28, 28), dtype=np.uint8)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx.encode(images)))
    assert np.array_equal(idx.read_images(path), images)


# The file's name, its bytes, and what the message must say was wanted and got.
BAD_IMAGES = {
    "empty": ("x", b"", "wanted an idx file of images, got an empty file"),
    "empty gzip file": ("x.gz", b"", "wanted a gzip file, got an empty file"),
    "gzip of nothing": ("x.gz", gzip.compress(b""), "an idx file of images, got an empty file"),
    "not gzip": ("x.gz", b"<html>404</html>", "bytes 1f 8b, got 3c 68 74 6d"),
    "unpacked under a packed name": ("x.gz", IMAGES_FILE, "bytes 1f 8b, got 00 00 08 03"),
    "packed under an unpacked name": ("x", PACKED, "bytes 00 00, got 1f 8b"),
    "truncated gzip": ("x.gz", PACKED[:-40], "wanted a whole gzip file, got one truncated"),
    "gzip without its CRC": ("x.gz", PACKED[:-8], "wanted a whole gzip file, got one truncated"),
    "gzip header alone": ("x.gz", PACKED[:6], "wanted a whole gzip file, got one truncated"),
    "corrupted CRC": ("x.gz", flipped(PACKED, -6), "corrupted one .*incorrect data check"),
    "corrupted length": ("x.gz", flipped(PACKED, -2), "corrupted one .*incorrect length check"),
    "corrupted deflate": ("x.gz", flipped(PACKED, 10), "wanted a sound gzip file, got a corrupted"),
    "bytes behind the gzip stream": ("x.gz", PACKED + b"\0", "got more bytes behind it"),
    "a second gzip stream": ("x.gz", PACKED + PACKED, "got more bytes behind it"),
    "wrong magic": ("x", b"\x01" + IMAGES_FILE[1:], "bytes 00 00, got 01 00 08 03"),
    "wrong type code": ("x", flipped(IMAGES_FILE, 2), r"wanted type code 0x08 \(uint8\), got 0xf7"),
    "wrong rank": ("x", LABELS_FILE, r"wanted 3 dimension\(s\) for images, got 1"),
    "cut in its header": ("x", IMAGES_FILE[:15], "a header of 16 bytes, got 15 bytes in all"),
    "one byte": ("x", b"\0", "got 00"),
    "wrong image size": ("x", image_header(3, 32, 28) + bytes(3 * 896), "28 x 28 .* got 32 x 28"),
    "no images": ("x", image_header(0), "wanted 1 to 300,000 images, got a header that counts 0"),
    "too many images": ("x", image_header(300_001), "wanted 1 to 300,000 .* counts 300,001"),
    "fewer bytes than counted": ("x", IMAGES_FILE[:-1], "wanted 2,368 bytes .* got 2,367"),
    "more bytes than counted": ("x", IMAGES_FILE + b"\0", "wanted 2,368 bytes .* got more"),
    "fewer bytes packed": ("x.gz", gzip.compress(IMAGES_FILE[:-1]), "wanted 2,368 .* got 2,367"),
    "more bytes packed": ("x.gz", gzip.compress(IMAGES_FILE + b"\0"), "wanted 2,368 .* got more"),
    "bomb that counts far too many": (
        "x.gz",
        bomb(image_header(0xFFFFFFFF), 1 << 24),
        "wanted 1 to 300,000 images, got a header that counts 4,294,967,295",
    ),
    "bomb": ("x.gz", bomb(image_header(3), 1 << 24), "wanted 2,368 bytes unpacked.* got more"),
    "megabytes of empty blocks": (
        "x.gz",
        PACKED[:10] + bytes.fromhex("000000ffff") * 500_000,
        "a packed stream that unpacks to hardly anything",
    ),
}


@pytest.mark.faults
@pytest.mark.parametrize("case", BAD_IMAGES)
def test_bad_image_files_are_refused(tmp_path: Path, case: str) -> None:
    name, content, message = BAD_IMAGES[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: (?=wanted ).*{message}.*; "):
        idx.read_images(path)


BAD_LABELS = {
    "image file": (IMAGES_FILE, r"wanted 1 dimension\(s\) for labels, got 3"),
    "label above 9": (LABELS_HEADER + b"\x09\x0a\x00", "from 0 to 9, got 10 in row 1"),
    "no labels": (bytes.fromhex("00000801 00000000"), "wanted 1 to 300,000 labels"),
    "fewer labels than counted": (LABELS_FILE[:-1], "wanted 11 bytes .* 3 labels, got 10"),
    "more labels than counted": (LABELS_FILE + b"\0", "wanted 11 bytes .* 3 labels, got more"),
}


@pytest.mark.faults
@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_label_files_are_refused(tmp_path: Path, case: str) -> None:
    content, message = BAD_LABELS[case]
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: (?=wanted ).*{message}.*; "):
        idx.read_labels(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.gz: wanted a file of labels, got no such file"):
        idx.read_labels(tmp_path / "gone.gz")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="wanted a file of images, got a folder"):
        idx.read_images(tmp_path)


def test_a_pipe_in_place_of_a_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="wanted a file of images, got a device or pipe"):
        idx.read_images(tmp_path / "pipe")


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(IMAGES_FILE)
    path.chmod(0)
    with (
        ordinary_user(),
        pytest.raises(BadInput, match="wanted a file that can be read, got Permission denied"),
    ):
        idx.read_images(path)


@pytest.mark.faults
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's peak memory")
@pytest.mark.parametrize(("zeros", "kilobytes"), [(400 << 20, 300_000), (0, 100_000)])
def test_a_header_that_counts_much_costs_little(tmp_path: Path, zeros: int, kilobytes: int) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(bomb(image_header(idx.MAX_ROWS), zeros))
    script = f"""
from pathlib import Path
from fmnist.data import idx
from fmnist.errors import BadInput
try:
    idx.read_images(Path({str(path)!r}))
except BadInput:
    print("refused yes")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print("kilobytes", status["VmHWM"].split()[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    told = dict(line.split() for line in done.stdout.splitlines())
    assert told["refused"] == "yes"
    assert int(told["kilobytes"]) < kilobytes


def test_the_format_needs_numpy_alone() -> None:
    script = (
        "import sys, numpy; before = set(sys.modules); import fmnist.data.idx;"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}"
        " - {'fmnist', 'numpy'} - sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def check_outcome(parse: Callable[[bytes, str], idx.Bytes], data: bytes) -> None:
    """Either an array that encodes to the same bytes again, or a message that names the file."""
    try:
        array = parse(data, "some file")
    except BadInput as error:
        assert str(error).startswith("some file: wanted ")
    else:
        assert idx.encode(array) == data


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_parsed_or_refused(data: bytes) -> None:
    check_outcome(idx.parse_images, data)
    check_outcome(idx.parse_labels, data)


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    """A valid file with some bytes cut out, put in or overwritten, mostly near its start."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, 20) | st.integers(0, len(valid)))
        stop = start + draw(st.integers(0, 8))
        data[start:stop] = draw(st.binary(max_size=8))
    return bytes(data)


@settings(deadline=None)
@given(mutated(IMAGES_FILE), mutated(LABELS_FILE))
def test_mutated_files_are_parsed_or_refused(images: bytes, labels: bytes) -> None:
    check_outcome(idx.parse_images, images)
    check_outcome(idx.parse_labels, labels)


@settings(deadline=None)
@given(mutated(PACKED))
def test_mutated_gzip_files_give_the_images_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, packed: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.gz"
    path.write_bytes(packed)
    try:
        images = idx.read_images(path)
    except BadInput as error:
        assert str(error).startswith(f"{path}: wanted ")
    else:
        assert np.array_equal(images, IMAGES)


@settings(deadline=None)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(28), st.just(28))),
    arrays(np.uint8, st.integers(1, 50), elements=st.integers(0, 9)),
)
def test_parsing_undoes_encoding(images: idx.Bytes, labels: idx.Bytes) -> None:
    assert np.array_equal(idx.parse_images(idx.encode(images), "images"), images)
    assert np.array_equal(idx.parse_labels(idx.encode(labels), "labels"), labels)
