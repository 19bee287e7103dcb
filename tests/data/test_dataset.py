import gzip
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from fmnist.data import dataset, idx
from fmnist.data.dataset import FashionMNIST, Split
from fmnist.errors import BadInput


@pytest.fixture
def data_dir(tmp_path: Path, small_data_dir: Path) -> Path:
    """A copy of the small dataset that a test may change."""
    return shutil.copytree(small_data_dir, tmp_path / "data")


def load(folder: Path) -> FashionMNIST:
    return dataset.load(str(folder), "auto")


def test_directory_is_loaded(small_data_dir: Path) -> None:
    data = load(small_data_dir)
    assert data.train.images.shape == (600, 28, 28)
    assert data.test.images.shape == (200, 28, 28)
    assert np.bincount(data.train.labels).tolist() == [60] * 10
    assert np.bincount(data.test.labels).tolist() == [20] * 10
    assert data.class_names == tuple("0123456789")  # other data than Fashion-MNIST


def test_digest_depends_only_on_the_decompressed_files(data_dir: Path) -> None:
    contents = {n: gzip.decompress((data_dir / f"{n}.gz").read_bytes()) for n in idx.FILE_NAMES}
    checksums = "".join(sha256(content).hexdigest() for content in contents.values())
    digest = load(data_dir).digest
    assert digest == sha256(checksums.encode()).hexdigest()[:32]
    for name, content in contents.items():
        (data_dir / name).write_bytes(content)
        (data_dir / f"{name}.gz").unlink()
    assert load(data_dir).digest == digest
    changed = bytearray(contents[idx.TEST_IMAGES])
    changed[5000] ^= 1
    (data_dir / idx.TEST_IMAGES).write_bytes(changed)
    assert load(data_dir).digest != digest


def test_compressed_file_is_preferred(data_dir: Path) -> None:
    (data_dir / idx.TRAIN_LABELS).write_bytes(b"not read")
    assert len(load(data_dir).train) == 600


def test_different_numbers_of_images_and_labels_are_rejected(data_dir: Path) -> None:
    labels = gzip.compress(idx.encode(np.zeros(3, np.uint8)))
    (data_dir / f"{idx.TEST_LABELS}.gz").write_bytes(labels)
    with pytest.raises(BadInput, match=r"as many test labels as .* got 200 images and 3 labels"):
        load(data_dir)


def test_missing_file_is_named(data_dir: Path) -> None:
    (data_dir / f"{idx.TEST_LABELS}.gz").unlink()
    message = rf"data_dir: .*{idx.TEST_LABELS}\.gz: expected a file .* no such file"
    with pytest.raises(BadInput, match=message):
        load(data_dir)


@pytest.mark.faults
def test_swapped_images_and_labels_are_rejected(data_dir: Path) -> None:
    images, labels = (data_dir / f"{name}.gz" for name in (idx.TEST_IMAGES, idx.TEST_LABELS))
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)
    with pytest.raises(BadInput, match=r"expected 3 dimension\(s\) for images, got 1"):
        load(data_dir)


def test_class_names_are_read(data_dir: Path) -> None:
    (data_dir / "class_names.txt").write_text(
        "\n".join("あいうえおかきくけこ") + "\n\n \n", "utf-8-sig"
    )
    assert load(data_dir).class_names == tuple("あいうえおかきくけこ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got 0 lines with 0 different names"),
        (b"a\nb\n\nd\n", "got 4 lines with 3 different names"),
        (b"a\nb\nc\nd\ne\nf\ng\nh\ni\na\n", "got 10 lines with 9 different names"),
        (b"\n".join(b"%d" % n for n in range(101)), "got 101 lines with 101 different names"),
        (b"a\n" + b"b" * 61, "got a name of 61 characters"),
        (b"\xff\xfe", "in UTF-8, one per line, .* got .*can't decode byte 0xff"),
        (None, "got .*Is a directory"),
    ],
)
def test_invalid_class_names_are_rejected(
    data_dir: Path, content: bytes | None, message: str
) -> None:
    path = data_dir / "class_names.txt"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=rf"class_names\.txt: expected 2 to 100 .*{message}"):
        load(data_dir)


def test_classes_without_images_count(data_dir: Path) -> None:
    ten = load(data_dir)
    (data_dir / "class_names.txt").write_text("\n".join("abcdefghijkl"))
    twelve = load(data_dir)
    assert (ten.train.classes, twelve.train.classes, twelve.test.classes) == (10, 12, 12)
    assert twelve.digest != ten.digest


def write_labels(folder: Path, change: int, highest: int) -> None:
    for name in (idx.TRAIN_LABELS, idx.TEST_LABELS):
        labels = np.minimum(idx.read_labels(folder / f"{name}.gz"), highest) + np.uint8(change)
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx.encode(labels.astype(np.uint8))))


def test_labels_from_1_are_rejected_with_the_fix(data_dir: Path) -> None:
    write_labels(data_dir, 1, 9)
    with pytest.raises(BadInput, match=r"count from 0, got labels from 1; subtract 1"):
        load(data_dir)
    (data_dir / "class_names.txt").write_text("\n".join("abcdefghij"))
    with pytest.raises(BadInput, match=r"0 to 9 for the 10 names .* got 10; .* subtract 1"):
        load(data_dir)
    (data_dir / "class_names.txt").write_text("\n".join("abcdefghijk"))
    assert load(data_dir).train.classes == 11  # class 0 has no images
    write_labels(data_dir, 91, 9)
    with pytest.raises(BadInput, match=r"training labels: expected labels from 0 to 99, .*100"):
        load(data_dir)


def test_two_classes(data_dir: Path) -> None:
    write_labels(data_dir, 0, 1)
    data = load(data_dir)
    assert data.class_names == ("0", "1")
    assert data.train.take(np.array([3, 5])).classes == 2


def test_all_rows_are_not_copied() -> None:
    split = Split(np.zeros((3, 28, 28), np.uint8), np.arange(3, dtype=np.uint8))
    assert split.take(np.arange(3)) is split
    assert split.take(np.array([0, 2, 1])).labels.tolist() == [0, 2, 1]
    assert split.take(np.arange(2)).labels.tolist() == [0, 1]
