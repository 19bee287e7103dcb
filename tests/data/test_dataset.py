import gzip
import pickle
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from fmnist.data import dataset, idx
from fmnist.data.dataset import CLASS_NAMES, Split
from fmnist.errors import BadInput

IMAGES = np.zeros((3, 28, 28), dtype=np.uint8)
LABELS = np.array([9, 0, 4], dtype=np.uint8)


@pytest.fixture
def data_dir(tmp_path: Path, small_data_dir: Path) -> Path:
    """A copy of the small data set, to be damaged."""
    return shutil.copytree(small_data_dir, tmp_path / "data")


def load(folder: Path) -> dataset.FashionMNIST:
    return dataset.load(str(folder), "auto")


def test_a_folder_is_loaded(small_data_dir: Path) -> None:
    data = load(small_data_dir)
    assert data.train.images.shape == (600, 28, 28)
    assert data.test.images.shape == (200, 28, 28)
    assert np.bincount(data.train.labels).tolist() == [60] * 10
    assert np.bincount(data.test.labels).tolist() == [20] * 10
    assert data.class_names == CLASS_NAMES


def test_the_digest_is_that_of_the_unpacked_files(data_dir: Path) -> None:
    unpacked = [gzip.decompress((data_dir / f"{name}.gz").read_bytes()) for name in idx.FILE_NAMES]
    joined = "".join(sha256(content).hexdigest() for content in unpacked)
    assert load(data_dir).digest == sha256(joined.encode()).hexdigest()[:32]


def test_unpacked_files_give_the_same_digest(data_dir: Path) -> None:
    packed = load(data_dir)
    for name in idx.FILE_NAMES:
        path = data_dir / f"{name}.gz"
        (data_dir / name).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert load(data_dir).digest == packed.digest


def test_one_changed_pixel_changes_the_digest(data_dir: Path) -> None:
    before = load(data_dir).digest
    path = data_dir / f"{idx.TEST_IMAGES}.gz"
    changed = idx.read_images(path).copy()
    changed[5, 5, 5] ^= 1
    path.write_bytes(gzip.compress(idx.encode(changed)))
    assert load(data_dir).digest != before


def test_the_packed_file_is_preferred(data_dir: Path) -> None:
    (data_dir / idx.TRAIN_LABELS).write_bytes(b"not read")
    assert len(load(data_dir).train) == 600


def test_counts_that_differ_are_refused(data_dir: Path) -> None:
    (data_dir / f"{idx.TEST_LABELS}.gz").write_bytes(gzip.compress(idx.encode(LABELS)))
    with pytest.raises(BadInput, match=r"t10k-labels-idx1-ubyte: .* got 200 images and 3 labels"):
        load(data_dir)


@pytest.mark.parametrize("name", idx.FILE_NAMES)
def test_each_missing_file_is_named(data_dir: Path, name: str) -> None:
    (data_dir / f"{name}.gz").unlink()
    with pytest.raises(BadInput, match=rf"data_dir: .*{name}\.gz: expected a file .* no such file"):
        load(data_dir)


def test_images_and_labels_swapped_are_refused(data_dir: Path) -> None:
    images, labels = (data_dir / f"{name}.gz" for name in (idx.TEST_IMAGES, idx.TEST_LABELS))
    held = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(held)
    with pytest.raises(BadInput, match=r"expected 3 dimension\(s\) for images, got 1"):
        load(data_dir)


def test_class_names_are_read(data_dir: Path) -> None:
    (data_dir / "class_names.txt").write_text("\n".join("あいうえおかきくけこ") + "\n", "utf-8-sig")
    assert load(data_dir).class_names == tuple("あいうえおかきくけこ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got 0 lines with 0 different names"),
        (b"a\nb\nc\nd\ne\nf\ng\nh\ni\n", "got 9 lines with 9 different names"),
        (b"a\nb\nc\nd\ne\nf\ng\nh\ni\n \n", "got 10 lines with 9 different names"),
        (b"a\nb\nc\nd\ne\nf\ng\nh\ni\na\n", "got 10 lines with 9 different names"),
        (b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n", "got 11 lines with 11 different names"),
        (b"\xff\xfe", "in UTF-8, one per line, got .*can't decode byte 0xff"),
    ],
)
def test_bad_class_names_are_refused(data_dir: Path, content: bytes, message: str) -> None:
    (data_dir / "class_names.txt").write_bytes(content)
    with pytest.raises(BadInput, match=rf"class_names\.txt: expected 10 .*{message}"):
        load(data_dir)


def test_a_folder_of_class_names_is_refused(data_dir: Path) -> None:
    (data_dir / "class_names.txt").mkdir()
    with pytest.raises(BadInput, match=r"class_names\.txt: expected 10 .* got .*Is a directory"):
        load(data_dir)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, LABELS[:2], "got 3 images and 2 labels"),
        (IMAGES[:0], LABELS[:0], "expected images"),
        (IMAGES[0], LABELS, "expected images"),
        (IMAGES, LABELS[:, None], "expected images"),
        (IMAGES.astype(np.float32), LABELS, "expected uint8, got float32"),
        (IMAGES, LABELS.astype(np.int64), "expected uint8, got uint8 and int64"),
        (IMAGES, LABELS + np.uint8(1), r"expected labels in 0\.\.9, got 10"),
    ],
)
def test_a_split_checks_its_arrays(images: idx.Bytes, labels: idx.Bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Split(images, labels)


@pytest.mark.parametrize("travel", [lambda split: split, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_split_is_read_only_even_when_unpickled(travel: Callable[[Split], Split]) -> None:
    split = travel(Split(IMAGES, LABELS))
    with pytest.raises(ValueError, match="read-only"):
        split.images[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        split.labels[0] = 1


def test_a_split_leaves_the_callers_arrays_writable() -> None:
    images, labels = IMAGES.copy(), LABELS.copy()
    Split(images, labels)
    assert images.flags.writeable
    assert labels.flags.writeable


def test_the_data_set_survives_pickling(small_data_dir: Path) -> None:
    data = load(small_data_dir)
    again = pickle.loads(pickle.dumps(data))
    assert np.array_equal(again.train.images, data.train.images)
    assert np.array_equal(again.test.labels, data.test.labels)
    assert (again.digest, again.class_names) == (data.digest, data.class_names)


def test_all_rows_in_their_order_are_no_copy() -> None:
    split = Split(np.zeros((3, 28, 28), np.uint8), np.arange(3, dtype=np.uint8))
    assert split.take(np.arange(3)) is split
    assert split.take(np.array([0, 2, 1])).labels.tolist() == [0, 2, 1]
    assert split.take(np.arange(2)).labels.tolist() == [0, 1]
