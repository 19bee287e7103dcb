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

from fmnist.data import dataset, download, idx, sources
from fmnist.data.sources import FASHION_MNIST, PublishedDataset, find
from fmnist.errors import BadInput

UNREACHABLE = "http://127.0.0.1:9/"  # the discard port, which refuses connections


@dataclass
class Server:
    """A local HTTP server and the requests it received."""

    folder: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)
    delay_seconds: float = 0.0


@pytest.fixture
def server(
    tmp_path: Path, small_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server(shutil.copytree(small_data_dir, tmp_path / "served"))

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append(self.path)
            time.sleep(server.delay_seconds)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Handler, directory=str(server.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}/"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield server
        http.shutdown()
        thread.join()


@pytest.fixture
def published(
    server: Server, small_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> PublishedDataset:
    """The small dataset, published only by the local server."""
    monkeypatch.delenv(sources.DATA_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(download, "RETRIES", 0)
    return PublishedDataset(
        name="small",
        checksums=sources.read_files(small_data_dir).checksums,
        system_folders=(),
        urls=(server.url,),
        debian_package=None,
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_are_downloaded_once_into_the_cache(
    cache: Path,
    published: PublishedDataset,
    server: Server,
    small_data_dir: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = find("auto", str(cache), published)
    assert files.checksums == published.checksums
    assert files.folder == cache / "small"
    assert sorted(server.requests) == sorted(f"/{name}.gz" for name in idx.FILE_NAMES)
    [message] = caplog.messages
    assert f"downloading small into {cache / 'small'}" in message
    again = dataset.load("auto", str(cache), published)
    assert again.digest == dataset.load(str(small_data_dir), "auto").digest
    assert len(server.requests) == 4
    assert len(caplog.messages) == 1
    assert names(cache / "small") == set(idx.FILE_NAMES)
    assert names(cache) == {"small", "small.lock"}


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
        (truncate, "expected a complete gzip file, got one truncated"),
        (corrupt, "expected an intact gzip file, got a damaged one"),
        (change_label, r"expected the published file \(SHA-256 .*\), got another"),
        (replace_by_page, "expected a gzip file, .* got 3c 68 74 6d"),
    ],
)
def test_damaged_downloads_are_rejected_and_removed(
    cache: Path,
    published: PublishedDataset,
    server: Server,
    damage: Callable[[Path], None],
    message: str,
) -> None:
    damage(server.folder / f"{idx.TEST_IMAGES}.gz")
    with pytest.raises(BadInput, match=rf"(?s)was not found:.*{server.url}: .*{message}"):
        find("auto", str(cache), published)
    assert names(cache) == {"small.lock"}


def test_next_url_is_tried(cache: Path, published: PublishedDataset, server: Server) -> None:
    two = replace(published, urls=(UNREACHABLE, server.url))
    assert find("auto", str(cache), two).checksums == published.checksums


@pytest.mark.faults
def test_interrupted_transfer_is_retried(
    cache: Path, published: PublishedDataset, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "RETRIES", 1)
    send = SimpleHTTPRequestHandler.copyfile
    interrupted: list[str] = []

    def interrupt_first(self: SimpleHTTPRequestHandler, source: object, output: object) -> None:
        if not interrupted:
            interrupted.append(self.path)
            return  # although the headers announce a complete file
        send(self, source, output)  # type: ignore[arg-type]

    monkeypatch.setattr(SimpleHTTPRequestHandler, "copyfile", interrupt_first)
    assert find("auto", str(cache), published).checksums == published.checksums
    assert server.requests.count(interrupted[0]) == 2


@pytest.mark.faults
def test_silent_server_ends_the_attempt(tmp_path: Path, server: Server) -> None:
    server.delay_seconds = 1.0
    with pytest.raises(BadInput, match=r"^a\.gz: .*Read timed out"):
        download.fetch_http(server.url, ["a.gz"], tmp_path / "folder", timeout=(0.2, 0.2))
    assert len(server.requests) <= 2


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("_MAX_FILE_BYTES", 10_000, "expected at most 10,000 bytes, got more"),
        ("_MAX_FILE_SECONDS", -1.0, "expected the file within -1 s, got a part"),
    ],
)
def test_downloads_are_limited(
    cache: Path,
    published: PublishedDataset,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: float,
    message: str,
) -> None:
    monkeypatch.setattr(download, limit, value)
    with pytest.raises(BadInput, match=message):
        find("auto", str(cache), published)
    assert names(cache) == {"small.lock"}


@pytest.mark.faults
def test_two_processes_download_once(
    cache: Path, published: PublishedDataset, server: Server
) -> None:
    server.delay_seconds = 0.2
    script = (
        "from fmnist.data.sources import PublishedDataset, find;"
        f"print(find('auto', {str(cache)!r}, PublishedDataset('small', "
        f"{dict(published.checksums)!r}, (), {published.urls!r}, None)).checksums)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert outputs == [str(dict(published.checksums))] * 2
    assert len(server.requests) == 4
    assert names(cache) == {"small", "small.lock"}


@pytest.mark.faults
def test_damaged_cache_is_reported_and_replaced(
    cache: Path, published: PublishedDataset, caplog: pytest.LogCaptureFixture
) -> None:
    find("auto", str(cache), published)
    (cache / "small" / idx.TRAIN_LABELS).write_bytes(b"")
    caplog.clear()
    assert find("auto", str(cache), published).checksums == published.checksums
    assert "skipping" in caplog.messages[0]
    assert "got an empty file" in caplog.messages[0]
    assert names(cache) == {"small", "small.lock"}
    assert sources.read_files(cache / "small").checksums == published.checksums


@pytest.mark.faults
def test_remains_of_a_killed_process_are_removed(cache: Path, published: PublishedDataset) -> None:
    partial_download = cache / "small.partial" / "downloaded"
    partial_download.mkdir(parents=True)
    (partial_download / f"{idx.TRAIN_IMAGES}.gz").write_bytes(b"half")
    assert find("auto", str(cache), published).checksums == published.checksums
    assert names(cache) == {"small", "small.lock"}


@pytest.mark.faults
@pytest.mark.parametrize("below", ["", "deeper"])
def test_unwritable_cache_is_rejected(
    cache: Path, published: PublishedDataset, server: Server, below: str
) -> None:
    cache.write_text("a file in the way")
    with pytest.raises(BadInput, match=r"cache.*: expected a writable cache .* with cache_dir"):
        find("auto", str(cache / below), published)
    assert server.requests == []


@pytest.mark.faults
def test_full_disk_leaves_nothing_behind(
    cache: Path, published: PublishedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(BadInput, match="expected a writable cache directory, got No space left"):
        find("auto", str(cache), published)
    assert names(cache) == {"small.lock"}


@pytest.mark.faults
def test_lock_that_is_never_released_is_reported(
    cache: Path, published: PublishedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_LOCK_SECONDS", 0.1)
    cache.mkdir()
    with (
        FileLock(cache / "small.lock"),
        pytest.raises(BadInput, match=r"small\.lock: expected the lock .* another process"),
    ):
        find("auto", str(cache), published)


def test_system_directory_is_preferred_if_it_has_the_published_files(
    tmp_path: Path, cache: Path, published: PublishedDataset, server: Server, small_data_dir: Path
) -> None:
    system = replace(published, system_folders=(tmp_path / "none", small_data_dir))
    assert find("auto", str(cache), system).folder == small_data_dir
    assert server.requests == []
    assert not cache.exists()
    changed = shutil.copytree(small_data_dir, tmp_path / "system")
    change_label(changed / f"{idx.TRAIN_LABELS}.gz")
    system = replace(published, system_folders=(changed,))
    assert find("auto", str(cache), system).folder == cache / "small"


def test_all_places_and_a_fix_are_named(
    tmp_path: Path, cache: Path, published: PublishedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without apt-get
    nowhere = replace(
        published,
        system_folders=(tmp_path / "share",),
        urls=(UNREACHABLE,),
        debian_package="dataset-small",
    )
    with pytest.raises(BadInput) as caught:
        find("auto", str(cache), nowhere)
    first, *failures, fix = str(caught.value).splitlines()
    assert first == "small was not found:"
    for failure, place, reason in zip(
        failures,
        (tmp_path / "share", cache / "small", UNREACHABLE, "Debian package dataset-small"),
        ("no such directory", "no such directory", "Connection refused", "without them"),
        strict=True,
    ):
        assert failure.startswith(f"  {place}: ")
        assert reason in failure
    assert "export FMNIST_DATA_DIR=DIRECTORY" in fix


@pytest.fixture
def fake_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def install(script: str) -> None:
        for command in ("apt-get", "dpkg-deb"):
            (tmp_path / command).write_text(f"#!/bin/sh\n{script}")
            (tmp_path / command).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    return install


def test_package_is_suggested_where_apt_exists(
    cache: Path, published: PublishedDataset, fake_apt: Callable[[str], None]
) -> None:
    fake_apt("echo 'E: Unable to locate package' >&2; exit 100")
    nowhere = replace(published, urls=(), debian_package="dataset-small")
    with pytest.raises(BadInput, match=r"(?s)E: Unable to locate.*sudo apt-get install dataset-sm"):
        find("auto", str(cache), nowhere)
    assert names(cache) == {"small.lock"}


def test_hanging_apt_is_stopped(
    tmp_path: Path, fake_apt: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_apt("exec sleep 600")
    monkeypatch.setattr(download, "_APT_SECONDS", 0.2)
    with pytest.raises(BadInput, match="apt-get did not finish within 0 s"):
        download.fetch_debian("package", ["a.gz"], tmp_path / "folder")


def test_named_directory_needs_no_checksums(
    tmp_path: Path,
    published: PublishedDataset,
    server: Server,
    small_data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = replace(published, checksums=FASHION_MNIST.checksums)
    assert find(str(small_data_dir), str(tmp_path), other).folder == small_data_dir
    monkeypatch.setenv("FMNIST_DATA_DIR", str(small_data_dir))
    assert find("auto", str(tmp_path), other).folder == small_data_dir
    monkeypatch.setenv("FMNIST_DATA_DIR", str(tmp_path / "missing"))
    assert find(str(small_data_dir), "auto").folder == small_data_dir
    assert server.requests == []


@pytest.mark.parametrize("source", ["data_dir", "FMNIST_DATA_DIR"])
def test_unusable_named_directory_is_rejected_without_trying_others(
    tmp_path: Path,
    published: PublishedDataset,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    path = tmp_path / "data"
    data_dir = str(path)
    if source == "FMNIST_DATA_DIR":
        monkeypatch.setenv(source, data_dir)
        data_dir = "auto"
    for create, message in (
        (lambda: None, "expected a directory .*, got nothing at"),
        (path.touch, "expected a directory .*, got a file at"),
        (
            lambda: (path.unlink(), path.mkdir()),
            ".*: expected a dataset .* found an empty directory",
        ),
    ):
        create()
        with pytest.raises(BadInput, match=f"^{source}: {message}"):
            find(data_dir, str(tmp_path / "cache"), published)
    assert server.requests == []


def test_empty_name_is_not_the_working_directory() -> None:
    with pytest.raises(BadInput, match=r"^data_dir: expected a directory .*, got nothing at ''"):
        find("", "auto")


def test_relative_name_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=rf"got nothing at 'data/mine' \({tmp_path}/data/mine\)"):
        find("data/mine", "auto")


def test_cache_follows_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert sources.cache_root("auto").is_relative_to(tmp_path)
    assert sources.cache_root("~/here") == tmp_path / "home" / "here"


def test_import_has_no_side_effects() -> None:
    script = (
        "import fmnist.data.dataset, logging, sys;"
        "print([m for m in ('pooch', 'requests', 'sklearn', 'tensorflow') if m in sys.modules],"
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
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FMNIST_DATA_DIR", raising=False)
    hook_output = tmp_path / "hook_output"
    hooks = ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
    (tmp_path / "apt.conf").write_text(
        "".join(f'APT::Update::{hook} {{ "touch {hook_output}"; }};\n' for hook in hooks)
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    package_only = replace(FASHION_MNIST, system_folders=(), urls=())
    data = dataset.load("auto", str(cache), package_only)
    assert data.train.images.shape == (60_000, 28, 28)
    assert data.test.images.shape == (10_000, 28, 28)
    assert np.bincount(data.train.labels).tolist() == [6000] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    # Mean and standard deviation of the training pixels, as published with the dataset.
    assert data.train.images.mean() == pytest.approx(72.940, abs=0.001)
    assert data.train.images.std() == pytest.approx(90.021, abs=0.001)
    assert data.digest == "d1fd84a877f3b78fa9a171b3de73f93e"
    assert names(cache) == {"fashion-mnist", "fashion-mnist.lock"}
    assert not hook_output.exists()
