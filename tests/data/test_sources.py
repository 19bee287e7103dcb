import gzip
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from fmnist.data import dataset, download, formats, idx, sources
from fmnist.data.formats import DatasetFiles
from fmnist.data.sources import describe_location, find
from fmnist.errors import BadInput

UNREACHABLE = "http://127.0.0.1:9/"  # the discard port, which refuses connections


@dataclass
class Site:
    """A dataset that is published on a local HTTP server, and the cache for its files."""

    folder: Path
    cache: Path
    monkeypatch: pytest.MonkeyPatch
    url: str = ""
    requests: list[str] = field(default_factory=list)
    delay_seconds: float = 0.0

    def publish(self, **changes: object) -> None:
        published = replace(sources.FASHION_MNIST, **changes)  # type: ignore[arg-type]
        self.monkeypatch.setattr(sources, "FASHION_MNIST", published)

    def find(self) -> DatasetFiles:
        return find("auto", str(self.cache))

    def is_found(self) -> bool:
        return self.find().checksums == sources.FASHION_MNIST.checksums

    def cached(self) -> set[str]:
        return {path.name for path in self.cache.iterdir()}


@pytest.fixture
def site(tmp_path: Path, small_data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The small dataset; without apt-get, and without a second attempt."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(sources.DATA_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(download, "RETRIES", 0)
    folder = shutil.copytree(small_data_dir, tmp_path / "served")
    site = Site(folder, tmp_path / "cache", monkeypatch)

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append(self.path)
            time.sleep(site.delay_seconds)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Handler, directory=str(site.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        site.url = f"http://127.0.0.1:{http.server_port}/"
        site.publish(
            name="small",
            checksums=formats.read(small_data_dir).checksums,
            system_folders=(),
            urls=(site.url,),
            debian_package="dataset-small",
        )
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield site
        http.shutdown()
        thread.join()


def test_files_are_downloaded_once_into_the_cache(
    site: Site, small_data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert site.is_found()
    assert sorted(site.requests) == sorted(f"/{name}.gz" for name in idx.FILE_NAMES)
    [message] = caplog.messages
    assert f"downloading small into {site.cache / 'small'}" in message
    assert site.find().folder == site.cache / "small"
    again = dataset.load("auto", str(site.cache))
    assert again.digest == dataset.load(str(small_data_dir), "auto").digest
    assert len(site.requests) == 4
    assert len(caplog.messages) == 1
    assert {path.name for path in (site.cache / "small").iterdir()} == set(idx.FILE_NAMES)
    assert site.cached() == {"small", "small.lock"}


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def corrupt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def change_label(path: Path) -> None:
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    path.write_bytes(gzip.compress(content))


def replace_by_page(path: Path) -> None:
    path.write_text("<html>please log in</html>")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove, "404 Client Error: File not found"),
        (truncate, "expected an intact gzip file, got one truncated"),
        (corrupt, "expected an intact gzip file, got Error"),
        (change_label, r"expected the published file \(SHA-256 .*\), got another"),
        (replace_by_page, "expected an intact gzip file, got one that starts with 3c 68 74 6d"),
    ],
)
def test_damaged_downloads_are_rejected_and_removed(
    site: Site, damage: Callable[[Path], None], message: str
) -> None:
    damage(site.folder / f"{idx.TEST_IMAGES}.gz")
    with pytest.raises(BadInput, match=rf"(?s)was not found:.*{site.url}: .*{message}"):
        site.find()
    assert site.cached() == {"small.lock"}


@pytest.mark.faults
def test_interrupted_transfer_is_retried_and_next_url_is_tried(site: Site) -> None:
    site.publish(urls=(UNREACHABLE, site.url))
    site.monkeypatch.setattr(download, "RETRIES", 1)
    send = SimpleHTTPRequestHandler.copyfile
    interrupted: list[str] = []

    def interrupt_first(self: SimpleHTTPRequestHandler, source: object, output: object) -> None:
        if not interrupted:
            interrupted.append(self.path)
            return  # although the headers announce a complete file
        send(self, source, output)  # type: ignore[arg-type]

    site.monkeypatch.setattr(SimpleHTTPRequestHandler, "copyfile", interrupt_first)
    assert site.is_found()
    assert site.requests.count(interrupted[0]) == 2


@pytest.mark.faults
def test_silent_server_ends_the_attempt(site: Site, tmp_path: Path) -> None:
    site.delay_seconds = 1.0
    with pytest.raises(BadInput, match=r"^a\.gz: .*Read timed out"):
        download.fetch_http(site.url, ["a.gz"], tmp_path, timeout=(0.2, 0.2))
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("_MAX_FILE_BYTES", 10_000, "expected at most 10,000 bytes, got more"),
        ("_MAX_FILE_SECONDS", -1.0, "expected the file within -1 s, got a part"),
    ],
)
def test_downloads_are_limited(site: Site, limit: str, value: float, message: str) -> None:
    site.monkeypatch.setattr(download, limit, value)
    with pytest.raises(BadInput, match=message):
        site.find()
    assert site.cached() == {"small.lock"}


@pytest.mark.faults
def test_two_processes_download_once(site: Site) -> None:
    site.delay_seconds = 0.2
    checksums = dict(sources.FASHION_MNIST.checksums)
    script = (
        "from fmnist.data import sources;"
        f"sources.FASHION_MNIST = sources.PublishedDataset('small', {checksums!r}, (), "
        f"({site.url!r},), 'dataset-small');"
        f"print(sources.find('auto', {str(site.cache)!r}).checksums)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert outputs == [str(checksums)] * 2
    assert len(site.requests) == 4
    assert site.cached() == {"small", "small.lock"}


@pytest.mark.faults
def test_damaged_cache_is_reported_and_replaced(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.find()
    (site.cache / "small" / idx.TRAIN_LABELS).write_bytes(b"")
    caplog.clear()
    assert site.is_found()
    assert "skipping" in caplog.messages[0]
    assert "got an empty file" in caplog.messages[0]
    assert site.cached() == {"small", "small.lock"}
    caplog.clear()
    assert site.is_found()
    assert caplog.messages == []


@pytest.mark.faults
def test_remains_of_a_killed_process_are_removed(site: Site) -> None:
    partial_download = site.cache / "small.partial" / "downloaded"
    partial_download.mkdir(parents=True)
    (partial_download / f"{idx.TRAIN_IMAGES}.gz").write_bytes(b"half")
    assert site.is_found()
    assert site.cached() == {"small", "small.lock"}


@pytest.mark.faults
@pytest.mark.parametrize("below", ["", "deeper"])
def test_unwritable_cache_is_rejected(site: Site, below: str) -> None:
    site.cache.write_text("a file in the way")
    with pytest.raises(BadInput, match=r"cache.*: expected a writable cache .* with cache_dir"):
        find("auto", str(site.cache / below))
    assert site.requests == []


@pytest.mark.faults
def test_full_disk_leaves_nothing_behind(site: Site) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    site.monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(BadInput, match="expected a writable cache directory, got No space left"):
        site.find()
    assert site.cached() == {"small.lock"}


@pytest.mark.faults
def test_lock_that_is_never_released_is_reported(site: Site) -> None:
    site.monkeypatch.setattr(sources, "_LOCK_SECONDS", 0.1)
    site.cache.mkdir()
    with (
        FileLock(site.cache / "small.lock"),
        pytest.raises(BadInput, match=r"small\.lock: expected the lock .* another process"),
    ):
        site.find()


def test_system_directory_is_preferred_if_it_has_the_published_files(
    site: Site, tmp_path: Path, small_data_dir: Path
) -> None:
    site.publish(system_folders=(tmp_path / "none", small_data_dir))
    assert describe_location("auto", str(site.cache)) == str(small_data_dir)
    assert site.find().folder == small_data_dir
    assert site.requests == []
    assert not site.cache.exists()
    changed = shutil.copytree(small_data_dir, tmp_path / "system")
    change_label(changed / f"{idx.TRAIN_LABELS}.gz")
    site.publish(system_folders=(changed,))
    assert site.find().folder == site.cache / "small"


@pytest.mark.faults
def test_all_places_and_a_fix_are_named(site: Site, tmp_path: Path) -> None:
    site.publish(system_folders=(tmp_path / "share",), urls=(UNREACHABLE,))
    location = describe_location("auto", str(site.cache))
    assert location == f"small, to be downloaded to {site.cache / 'small'}"
    with pytest.raises(BadInput) as caught:
        site.find()
    first, *failures, fix = str(caught.value).splitlines()
    assert first == "small was not found:"
    for failure, place, reason in zip(
        failures,
        (tmp_path / "share", site.cache / "small", UNREACHABLE, "Debian package dataset-small"),
        ("no such directory", "no such directory", "Connection refused", "without them"),
        strict=True,
    ):
        assert failure.startswith(f"  {place}: ")
        assert reason in failure
    assert "sudo apt-get install dataset-small" in fix
    assert "export FMNIST_DATA_DIR=DIRECTORY" in fix


@pytest.mark.parametrize(
    ("script", "seconds", "message"),
    [
        ("echo 'E: Unable to locate package' >&2; exit 100", 60, "E: Unable to locate package"),
        ("exec sleep 600", 0.2, "apt-get did not finish within 0 s"),
    ],
)
def test_failure_of_apt_is_reported(
    site: Site, tmp_path: Path, script: str, seconds: float, message: str
) -> None:
    for command in ("apt-get", "dpkg-deb"):
        (tmp_path / command).write_text(f"#!/bin/sh\n{script}")
        (tmp_path / command).chmod(0o755)
    site.monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    site.monkeypatch.setattr(download, "_APT_SECONDS", seconds)
    site.publish(urls=())
    with pytest.raises(BadInput, match=rf"Debian package dataset-small: .*{message}"):
        site.find()
    assert site.cached() == {"small.lock"}


def test_named_directory_needs_no_checksums(
    tmp_path: Path, small_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find(str(small_data_dir), str(tmp_path)).folder == small_data_dir
    monkeypatch.setenv("FMNIST_DATA_DIR", str(small_data_dir))
    assert find("auto", str(tmp_path)).folder == small_data_dir
    assert describe_location("auto", str(tmp_path)) == str(small_data_dir)
    monkeypatch.setenv("FMNIST_DATA_DIR", str(tmp_path / "missing"))
    assert find(str(small_data_dir), "auto").folder == small_data_dir


@pytest.mark.parametrize("source", ["data_dir", "FMNIST_DATA_DIR"])
def test_unusable_named_directory_is_rejected_without_trying_others(
    site: Site, tmp_path: Path, source: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, message in (
        ("missing", "expected a directory .*, got nothing at"),
        ("file", "expected a directory .*, got a file at"),
        ("empty", ".*: expected a dataset .* found an empty directory"),
    ):
        data_dir = str(tmp_path / name)
        if source == "FMNIST_DATA_DIR":
            site.monkeypatch.setenv(source, data_dir)
            data_dir = "auto"
        with pytest.raises(BadInput, match=f"^{source}: {message}"):
            find(data_dir, str(site.cache))
    assert site.requests == []


def test_relative_name_is_resolved_and_an_empty_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=rf"got nothing at 'data/mine' \({tmp_path}/data/mine\)"):
        find("data/mine", "auto")
    with pytest.raises(BadInput, match=r"^data_dir: expected a directory .*, got nothing at '';"):
        find("", "auto")


def test_cache_follows_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert sources.cache_root("auto").is_relative_to(tmp_path)
    assert sources.cache_root("~/here") == tmp_path / "home" / "here"


def test_no_heavy_package_is_imported() -> None:
    script = (
        "import logging, sys, numpy as np; from fmnist.data import dataset, splits;"
        "labels = np.arange(100, dtype=np.uint8) % 10;"
        "splits.validation_split(labels, 0.1, 0); splits.stratified_folds(labels, 5, 1, 0);"
        "print([m for m in ('pandas', 'requests', 'sklearn', 'tensorflow') if m in sys.modules],"
        " logging.getLogger().handlers, logging.getLogger('fmnist').handlers)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[] [] []"


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.skipif(not shutil.which("apt-get"), reason="fetches a Debian package")
def test_debian_package_contains_fashion_mnist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FMNIST_DATA_DIR", raising=False)
    package_only = replace(sources.FASHION_MNIST, system_folders=(), urls=())
    monkeypatch.setattr(sources, "FASHION_MNIST", package_only)
    cache = tmp_path / "cache"
    hook_output = tmp_path / "hook_output"
    hooks = ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
    (tmp_path / "apt.conf").write_text(
        "".join(f'APT::Update::{hook} {{ "touch {hook_output}"; }};\n' for hook in hooks)
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    data = dataset.load("auto", str(cache))
    assert data.train.images.shape == (60_000, 28, 28)
    assert data.test.images.shape == (10_000, 28, 28)
    assert np.bincount(data.train.labels).tolist() == [6000] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    # Mean and standard deviation of the training pixels, as published with the dataset.
    assert data.train.images.mean() == pytest.approx(72.940, abs=0.001)
    assert data.train.images.std() == pytest.approx(90.021, abs=0.001)
    assert data.digest == "d1fd84a877f3b78fa9a171b3de73f93e"
    assert {path.name for path in cache.iterdir()} == {"fashion-mnist", "fashion-mnist.lock"}
    assert not hook_output.exists()
