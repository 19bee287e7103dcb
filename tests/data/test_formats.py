"""The same images and labels in every accepted format, and files that are rejected."""

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fmnist.data import dataset, idx
from fmnist.data.dataset import FashionMNIST
from fmnist.errors import BadInput

Arrays = dict[str, np.ndarray]


@pytest.fixture
def arrays(data: FashionMNIST) -> Arrays:
    """Labels 0 to 9 in 40 training and 20 test images."""
    return {
        idx.TRAIN_IMAGES: data.train.images[:40],
        idx.TRAIN_LABELS: np.arange(40, dtype=np.uint8) % 10,
        idx.TEST_IMAGES: data.test.images[:20],
        idx.TEST_LABELS: np.arange(20, dtype=np.uint8) % 10,
    }


def load(folder: Path) -> FashionMNIST:
    return dataset.load(str(folder), "auto")


def write_idx(folder: Path, arrays: Arrays, rename: Callable[[str], str] = str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = idx.encode(array)
        path = folder / rename(name)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_dotted(folder: Path, arrays: Arrays) -> None:
    write_idx(folder, arrays, lambda name: name.replace("-idx", ".idx"))


def write_torchvision(folder: Path, arrays: Arrays) -> None:
    write_idx(folder / "FashionMNIST" / "raw", arrays)
    write_idx(folder / "FashionMNIST" / "raw", arrays, "{}.gz".format)


def write_emnist(folder: Path, arrays: Arrays) -> None:
    transposed = {n: a.swapaxes(1, 2) if a.ndim == 3 else a for n, a in arrays.items()}
    write_idx(
        folder,
        {name: np.ascontiguousarray(array) for name, array in transposed.items()},
        lambda name: f"emnist-letters-{name.replace('t10k', 'test')}.gz",
    )


def write_keras(folder: Path, arrays: Arrays) -> None:
    names = ("x_train", "y_train", "x_test", "y_test")
    values = dict(zip(names, arrays.values(), strict=True))
    np.savez_compressed(folder / "mnist.npz", **values)


def write_medmnist(folder: Path, arrays: Arrays) -> None:
    images, labels, test_images, test_labels = arrays.values()
    np.savez(
        folder / "pneumoniamnist.npz",
        train_images=images[:30],
        train_labels=labels[:30, None].astype(np.int64),
        val_images=images[30:],
        val_labels=np.asfortranarray(labels[30:, None]),
        test_images=test_images[..., None],
        test_labels=test_labels[:, None],
        allow_pickle=False,
    )


def write_csv(folder: Path, arrays: Arrays) -> None:
    images, labels, test_images, test_labels = arrays.values()
    columns = ["label", *(f"pixel{n}" for n in range(1, 785))]
    for split, pixels, of_split in (("train", images, labels), ("test", test_images, test_labels)):
        rows = np.column_stack([of_split, pixels.reshape(len(pixels), -1)])
        table = pd.DataFrame(rows, columns=columns)
        table.to_csv(folder / f"fashion-mnist_{split}.csv", index=False, header=split == "train")


def write_parquet(folder: Path, arrays: Arrays) -> None:
    images, labels, test_images, test_labels = arrays.values()
    (folder / "fashion_mnist").mkdir()
    for name, pixels, of_split in (
        ("train-00000-of-00002", images[:25], labels[:25]),
        ("train-00001-of-00002", images[25:], labels[25:]),
        ("test-00000-of-00001", test_images, test_labels),
    ):
        cells = [{"bytes": encode_png(image), "path": None} for image in pixels]
        table = pd.DataFrame({"image": cells, "label": of_split.astype(np.int64)})
        table.to_parquet(folder / "fashion_mnist" / f"{name}.parquet")


def encode_png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


WRITERS = (
    write_dotted, write_torchvision, write_emnist, write_keras, write_medmnist, write_csv,
    write_parquet,
)  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_gives_the_same_data(
    tmp_path: Path, arrays: Arrays, write: Callable[[Path, Arrays], None]
) -> None:
    (tmp_path / "idx").mkdir()
    write_idx(tmp_path / "idx", arrays, "{}.gz".format)
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", arrays)
    expected, data = load(tmp_path / "idx"), load(tmp_path / "other")
    assert np.array_equal(data.train.images, expected.train.images)
    assert data.test.labels.tolist() == expected.test.labels.tolist()
    assert data.digest == expected.digest


def test_an_npz_file_may_be_named(tmp_path: Path, arrays: Arrays) -> None:
    write_keras(tmp_path, arrays)
    np.savez(tmp_path / "other.npz", a=np.zeros(1), allow_pickle=False)
    with pytest.raises(BadInput, match=r"expected one dataset, found mnist\.npz, other\.npz"):
        load(tmp_path)
    assert load(tmp_path / "mnist.npz").class_names == tuple("0123456789")


def test_unknown_files_are_listed_with_the_accepted_ones(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"image{number}.png").write_bytes(b"")
    accepted = r"found image0\.png, .*image7\.png and 2 more; accepted are four IDX files .*Parquet"
    with pytest.raises(BadInput, match=accepted):
        load(tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (idx.TRAIN_IMAGES, np.zeros((40, 28, 28, 3), np.uint8), "grayscale images"),
        (idx.TRAIN_IMAGES, np.zeros((40, 28, 28), np.float32), r"got \(40, 28, 28\) float32"),
        (idx.TRAIN_IMAGES, np.zeros((40, 27, 28), np.uint8), r"got \(40, 27, 28\) uint8"),
        (idx.TRAIN_LABELS, np.array([None] * 40), "intact .npz file, got Object arrays"),  # pickled
        (idx.TEST_LABELS, np.full(20, 100), "labels from 0 to 99, got 100"),
        (idx.TEST_LABELS, np.full(20, -1), "labels from 0 to 99, got -1"),
        (idx.TEST_LABELS, np.zeros((20, 14), np.uint8), r"for each image, got \(20, 14\)"),
        (idx.TEST_LABELS, np.zeros(19, np.uint8), "got 20 images and 19 labels"),
    ],
)
def test_invalid_arrays_are_rejected(
    tmp_path: Path, arrays: Arrays, name: str, array: np.ndarray, message: str
) -> None:
    write_keras(tmp_path, arrays | {name: array})
    with pytest.raises(BadInput, match=message):
        load(tmp_path)


@pytest.mark.faults
def test_a_header_that_announces_too_much_is_rejected(tmp_path: Path, arrays: Arrays) -> None:
    write_keras(tmp_path, arrays)
    header = io.BytesIO()
    shape = (900_000, 28, 28)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(tmp_path / "mnist.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "mnist.npz", "w") as archive:
        for name, content in (members | {"x_test.npy": header.getvalue() + bytes(784)}).items():
            archive.writestr(name, content)
    with pytest.raises(BadInput, match=r"mnist\.npz: expected an intact \.npz file"):
        load(tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3", "expected 785 columns .* got 3"),
        (",".join(["256"] * 785), "whole numbers from 0 to 255"),
        (",".join(["0.5"] * 785), "whole numbers from 0 to 255"),
        (",".join(["1"] * 784) + ",", "missing values|whole numbers"),
    ],
)
def test_invalid_csv_is_rejected(tmp_path: Path, line: str, message: str) -> None:
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text(f"{line}\n{line}\n")
    with pytest.raises(BadInput, match=message):
        load(tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (encode_png(np.zeros((29, 28), np.uint8)), r"\(28, 29\) pixels in mode L"),
        (encode_png(np.zeros((28, 28, 3), np.uint8)), "in mode RGB"),
        (b"GIF89a", "neither PNG nor JPEG"),
        (bytes(20_000), "rows of 10,000 bytes are accepted"),
    ],
)
def test_invalid_parquet_is_rejected(tmp_path: Path, image: bytes, message: str) -> None:
    for name in ("train.parquet", "test.parquet"):
        pd.DataFrame({"image": [{"bytes": image}], "label": [0]}).to_parquet(tmp_path / name)
    with pytest.raises(BadInput, match=message):
        load(tmp_path)
