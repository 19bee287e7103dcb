"""Where the data set comes from: a folder that is named, places on this machine, or the network."""

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import filelock
import platformdirs

from fmnist.data import debian, download, files
from fmnist.data.files import FourFiles
from fmnist.errors import BadInput

AUTO = "auto"
DATA_DIR_VARIABLE = "FMNIST_DATA_DIR"

_LOCK_SECONDS = 900.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """A data set as its authors published it, and the places that may hold it.

    Args:
        name: what it is called, and the name of its folder in the cache.
        checksums: from unpacked file name to the SHA-256 of the unpacked bytes, in hex; packed
            bytes differ between places.
        system_folders: where a system keeps it for all its users.
        locations: addresses that a file's name + `.gz` is appended to.
        debian_package: the package that holds it, None to ask none.
    """

    name: str
    checksums: Mapping[str, str]
    system_folders: tuple[Path, ...]
    locations: tuple[str, ...]
    debian_package: str | None


FASHION_MNIST = Published(
    name="fashion-mnist",
    checksums={
        files.TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        files.TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        files.TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        files.TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    system_folders=(
        Path("/usr/share/datasets/fashion-mnist"),
        Path("/usr/local/share/datasets/fashion-mnist"),
    ),
    locations=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    debian_package="dataset-fashion-mnist",
)


def find(data_dir: str, cache_dir: str, published: Published = FASHION_MNIST) -> FourFiles:
    """The four files of the folder asked for, or, for `auto`, the published ones from anywhere.

    `auto` looks into $FMNIST_DATA_DIR, the system's folders and the cache, in that order, then
    fetches the files into the cache. A folder that is named, by option or variable, may hold any
    sound files; what `auto` finds by itself has the published checksums.

    Args:
        data_dir: `auto` or a folder.
        cache_dir: `auto` or a folder, where fetched files are kept.

    Raises:
        BadInput: the named folder cannot be used, the cache cannot be written, or no place had
            the published files.
    """
    found = at_hand(data_dir, cache_dir, published)
    if isinstance(found, FourFiles):
        return found
    return _fetched(cache_root(cache_dir) / published.name, published, found)


def at_hand(
    data_dir: str, cache_dir: str, published: Published = FASHION_MNIST
) -> FourFiles | list[str]:
    """What `find` would give without fetching anything, or why each place has nothing.

    Raises:
        BadInput: the named folder cannot be used.
    """
    if data_dir != AUTO:
        return _named(data_dir, "data_dir")
    if named := os.environ.get(DATA_DIR_VARIABLE):
        return _named(named, DATA_DIR_VARIABLE)
    cache = cache_root(cache_dir) / published.name
    failures = []
    for folder in (*published.system_folders, cache):
        if not os.path.isdir(folder):
            failures.append(f"{folder}: no such folder")
            continue
        try:
            return _published(folder, published)
        except BadInput as error:
            failures.append(f"{folder}: {error}")
            _log.warning("skipping %s", failures[-1])
    return failures


def cache_root(cache_dir: str) -> Path:
    """The folder below which everything is cached; it need not exist yet.

    Args:
        cache_dir: `auto`, for the place where this platform keeps caches, or a folder.
    """
    if cache_dir == AUTO:
        return platformdirs.user_cache_path("fmnist")
    return Path(os.path.expanduser(cache_dir)).absolute()


def _named(text: str, source: str) -> FourFiles:
    folder = os.path.expanduser(text)
    if not os.path.isdir(folder):
        got = "no folder" if os.path.lexists(folder) else "nothing"
        raise BadInput(
            f"{source}: wanted a folder with the four idx files, got {got} at '{text}'; "
            "name an existing folder, or leave it out to have the data set found or fetched"
        )
    try:
        return files.read(Path(folder))
    except BadInput as error:
        raise BadInput(f"{source}: {error}") from error


def _published(folder: Path, published: Published) -> FourFiles:
    found = files.read(folder)
    for name, wanted in published.checksums.items():
        if (got := found.checksums[name]) != wanted:
            raise BadInput(
                f"{name}: wanted the published file (SHA-256 {wanted[:12]}... unpacked), "
                f"got another ({got[:12]}...)"
            )
    return found


def _fetched(cache: Path, published: Published, failures: list[str]) -> FourFiles:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(cache.with_name(f"{cache.name}.lock"), timeout=_LOCK_SECONDS):
            return _fetched_alone(cache, published, failures)
    except filelock.Timeout as error:
        raise BadInput(
            f"{error.lock_file}: wanted the lock within {_LOCK_SECONDS:.0f} s, got none, since "
            "another process is fetching the data set; run again once it is done"
        ) from error
    except OSError as error:
        raise BadInput(
            f"{cache.parent}: wanted a cache folder to write the data set to, "
            f"got {error.strerror or error}; name another with cache_dir"
        ) from error


def _fetched_alone(cache: Path, published: Published, failures: list[str]) -> FourFiles:
    """What the cache holds by now, or else fetch it there; one process at a time."""
    if os.path.isdir(cache):
        try:
            return _published(cache, published)
        except BadInput:
            pass  # Told and kept among the failures by then; the folder is replaced below.
    _log.warning("fetching %s into %s (about 30 MB, once)", published.name, cache)
    work = cache.with_name(f"{cache.name}.partial")
    shutil.rmtree(work, ignore_errors=True)  # Left by a process that was killed.
    for place, bring in _ways(published).items():
        try:
            brought = work / "brought"
            brought.mkdir(parents=True)
            bring(brought)
            found = _published(brought, published)
            _store(found, cache, work)
            return FourFiles(cache, found.arrays)
        except BadInput as error:
            failures.append(f"{place}: {error}")
        finally:
            shutil.rmtree(work, ignore_errors=True)
    places = "".join(f"\n  {failure}" for failure in failures)
    raise BadInput(f"wanted {published.name}, got it nowhere:{places}\n{_remedy(published)}")


def _ways(published: Published) -> Mapping[str, Callable[[Path], None]]:
    names = [f"{name}.gz" for name in published.checksums]
    ways = {place: partial(download.fetch, place, names) for place in published.locations}
    if (package := published.debian_package) is not None:
        ways[f"Debian package {package}"] = partial(debian.fetch, package, names)
    return ways


def _store(found: FourFiles, cache: Path, work: Path) -> None:
    """Put all four files into the cache in one step, in place of a damaged folder."""
    # Unpacked, since reading them then takes a tenth of the time.
    whole = work / "whole"
    whole.mkdir()
    found.write(whole)
    if os.path.isdir(cache):
        cache.rename(work / "replaced")
    whole.rename(cache)


def _remedy(published: Published) -> str:
    copy = (
        "copy the four files from a machine that has them into a folder and run "
        f"`export {DATA_DIR_VARIABLE}=FOLDER`"
    )
    if published.debian_package is None or shutil.which("apt-get") is None:
        return f"{copy}; then try again"
    install = f"run `sudo apt-get install {published.debian_package}`"
    return f"{install} or, without a network, {copy}; then try again"
