"""Find the dataset's files: in a named directory, on this machine, or on the network."""

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import filelock
import platformdirs

from fmnist.data import download, formats, idx
from fmnist.data.formats import DatasetFiles
from fmnist.errors import BadInput
from fmnist.system.atomic import fsync_path

AUTO: Final = "auto"
DATA_DIR_VARIABLE: Final = "FMNIST_DATA_DIR"

_LOCK_SECONDS = 900.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedDataset:
    """A published dataset and the places to get it from.

    Args:
        name: name of the dataset and of its directory in the cache.
        checksums: SHA-256 (hex) of each decompressed file by file name. Compressed files differ
            between sources.
        system_folders: directories where a system provides it to all users.
        urls: addresses to which a file name + `.gz` is appended.
        debian_package: name of the Debian package with the files.
    """

    name: str
    checksums: Mapping[str, str]
    system_folders: tuple[Path, ...]
    urls: tuple[str, ...]
    debian_package: str


FASHION_MNIST: Final = PublishedDataset(
    name="fashion-mnist",
    checksums={
        idx.TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        idx.TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        idx.TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        idx.TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    system_folders=(
        Path("/usr/share/datasets/fashion-mnist"),
        Path("/usr/local/share/datasets/fashion-mnist"),
    ),
    urls=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    debian_package="dataset-fashion-mnist",
)


def find(data_dir: str, cache_dir: str) -> DatasetFiles:
    """Find the dataset on this machine, or download it into the cache.

    `auto` searches $FMNIST_DATA_DIR, the system directories and the cache, in this order, then
    downloads. Files in the system directories and the cache must have the published checksums. A
    directory named by option or environment variable may contain any valid dataset.

    Raises:
        BadInput: the named directory is unusable, the cache cannot be written, or no source had
            the published files.
    """
    files = find_local(data_dir, cache_dir)
    if isinstance(files, DatasetFiles):
        return files
    return _download_locked(cache_root(cache_dir) / FASHION_MNIST.name, files)


def find_local(data_dir: str, cache_dir: str) -> DatasetFiles | list[str]:
    """Find the files without downloading; if there are none, return the reason for each place.

    Raises:
        BadInput: the named directory is unusable.
    """
    if named := _named_directory(data_dir):
        return _read_named(*named)
    failures = []
    for folder in _usual_folders(cache_dir):
        if not folder.is_dir():
            failures.append(f"{folder}: no such directory")
            continue
        try:
            return _read_published(folder)
        except BadInput as error:
            failures.append(f"{folder}: {error}")
            _log.warning("skipping %s", failures[-1])
    return failures


def describe_location(data_dir: str, cache_dir: str) -> str:
    """Say where `find` looks first, without reading any file."""
    if named := _named_directory(data_dir):
        return named[1]
    folders = _usual_folders(cache_dir)
    existing = (str(folder) for folder in folders if folder.is_dir())
    return next(existing, f"{FASHION_MNIST.name}, to be downloaded to {folders[-1]}")


def cache_root(cache_dir: str) -> Path:
    """Return the root of all caches, which may not exist yet.

    Args:
        cache_dir: `auto` for the platform's cache directory, or a directory.
    """
    if cache_dir == AUTO:
        return platformdirs.user_cache_path("fmnist")
    return Path(os.path.expanduser(cache_dir)).absolute()


def _named_directory(data_dir: str) -> tuple[str, str] | None:
    """Return what names a directory, the option or the environment variable, and its name."""
    if data_dir != AUTO:
        return "data_dir", data_dir
    directory = os.environ.get(DATA_DIR_VARIABLE)
    return (DATA_DIR_VARIABLE, directory) if directory else None


def _usual_folders(cache_dir: str) -> tuple[Path, ...]:
    return *FASHION_MNIST.system_folders, cache_root(cache_dir) / FASHION_MNIST.name


def _read_named(source: str, directory: str) -> DatasetFiles:
    folder = os.path.expanduser(directory)  # not a Path, for which "" is the working directory
    is_archive = folder.endswith(".npz") and os.path.isfile(folder)
    if not os.path.isdir(folder) and not is_archive:
        received = "a file" if os.path.lexists(folder) else "nothing"
        resolved = f" ({os.path.abspath(folder)})" if folder and not os.path.isabs(folder) else ""
        raise BadInput(
            f"{source}: expected a directory with the dataset or an .npz file, got {received} at "
            f"'{directory}'{resolved}; name an existing directory, or omit it to have the dataset "
            "found or downloaded"
        )
    try:
        return formats.read(Path(folder))
    except BadInput as error:
        raise BadInput(f"{source}: {error}") from error


def _read_published(folder: Path) -> DatasetFiles:
    files = formats.read(folder)
    for name, expected in FASHION_MNIST.checksums.items():
        if (received := files.checksums[name]) != expected:
            raise BadInput(
                f"{name}: expected the published file (SHA-256 {expected[:12]}... after "
                f"decompression), got another ({received[:12]}...)"
            )
    return files


def _download_locked(cache: Path, failures: list[str]) -> DatasetFiles:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{cache}.lock", timeout=_LOCK_SECONDS):
            return _download(cache, failures)
    except filelock.Timeout as error:
        raise BadInput(
            f"{error.lock_file}: expected the lock within {_LOCK_SECONDS:.0f} s, but another "
            "process is still downloading the dataset; run again when it has finished"
        ) from error
    except OSError as error:
        raise BadInput(
            f"{cache.parent}: expected a writable cache directory, "
            f"got {error.strerror or error}; name another one with cache_dir"
        ) from error


def _download(cache: Path, failures: list[str]) -> DatasetFiles:
    """Return the files that another process has downloaded meanwhile, or download them."""
    if cache.is_dir():
        with suppress(BadInput):  # `find_local` has reported it; the directory is replaced below
            return _read_published(cache)
    published = FASHION_MNIST
    _log.warning("downloading %s into %s (about 30 MB, once)", published.name, cache)
    names = [f"{name}.gz" for name in published.checksums]
    sources: dict[str, Callable[[Path], None]] = {
        url: partial(download.fetch_http, url, names) for url in published.urls
    }
    package = published.debian_package
    sources[f"Debian package {package}"] = partial(download.fetch_debian, package, names)
    work = Path(f"{cache}.partial")
    shutil.rmtree(work, ignore_errors=True)  # left by a killed process
    for source, fetch in sources.items():
        try:
            downloaded = work / "downloaded"
            downloaded.mkdir(parents=True)
            fetch(downloaded)
            files = _read_published(downloaded)
            _store(files, cache, work)
            return DatasetFiles(cache, files.arrays)
        except BadInput as error:
            failures.append(f"{source}: {error}")
        finally:
            shutil.rmtree(work, ignore_errors=True)
    reasons = "".join(f"\n  {failure}" for failure in failures)
    raise BadInput(
        f"{published.name} was not found:{reasons}\n"
        f"run `sudo apt-get install {package}` (Debian and Ubuntu), or copy the "
        "four files from another machine into a directory and run "
        f"`export {DATA_DIR_VARIABLE}=DIRECTORY`; then try again"
    )


def _store(files: DatasetFiles, cache: Path, work: Path) -> None:
    """Move all four files into the cache in one step, replacing a damaged directory."""
    complete = work / "complete"
    complete.mkdir()
    for name, array in files.arrays.items():  # uncompressed, which is ten times as fast to read
        (complete / name).write_bytes(idx.encode(array))
        fsync_path(complete / name)
    if cache.is_dir():
        cache.rename(work / "replaced")
    complete.rename(cache)
