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

NOWHERE = "http://127.0.0.1:9/"  # The discard port: connections are refused at once.


@dataclass
class Server:
    """A local place that publishes a folder, and what it was asked for."""

    folder: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)
    delay_seconds: float = 0.0


@pytest.fixture
def server(
    tmp_path: Path, small_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = Server(shutil.copytree(small_data_dir, tmp_path / "served"))

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests.append(self.path)
            time.sleep(served.delay_seconds)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Handler, directory=str(served.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        served.url = f"http://127.0.0.1:{http.server_port}/"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield served
        http.shutdown()
        thread.join()


@pytest.fixture
def published(
    server: Server, small_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> PublishedDataset:
    """The small data set as if it were the published one, held by the local server alone."""
    monkeypatch.delenv(sources.DATA_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(download, "RETRIES", 0)
    return PublishedDataset(
        name="small",
        checksums=sources.read_files(small_data_dir).checksums,
        system_folders=(),
        urls=(server.url,),
        debian_package=None,
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_downloads_once_into_the_cache(
    tmp_path: Path, published: PublishedDataset, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    fetched = find("auto", str(cache), published)
    assert fetched.checksums == published.checksums
    assert fetched.folder == cache / "small"
    assert sorted(server.requests) == sorted(f"/{name}.gz" for name in idx.FILE_NAMES)
    assert caplog.messages == [f"downloading small into {cache / 'small'} (about 30 MB, once)"]
    again = find("auto", str(cache), published)
    assert again.checksums == published.checksums
    assert len(server.requests) == 4
    assert len(caplog.messages) == 1
    assert names(cache / "small") == set(idx.FILE_NAMES)
    assert names(cache) == {"small", "small.lock"}


def test_a_loaded_data_set_is_the_same_from_cache_and_folder(
    tmp_path: Path, published: PublishedDataset, small_data_dir: Path
) -> None:
    fetched = dataset.load("auto", str(tmp_path / "cache"), published)
    named = dataset.load(str(small_data_dir), "auto")
    assert fetched.digest == named.digest
    assert np.array_equal(fetched.train.images, named.train.images)


def damage_nothing_there(path: Path) -> None:
    path.unlink()


def damage_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def damage_corrupted(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def damage_other_content(path: Path) -> None:
    unpacked = bytearray(gzip.decompress(path.read_bytes()))
    unpacked[-1] ^= 1
    path.write_bytes(gzip.compress(unpacked))


def damage_page(path: Path) -> None:
    path.write_text("<html>please log in</html>")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_nothing_there, "404 Client Error: File not found"),
        (damage_truncated, "expected a complete gzip file, got one truncated"),
        (damage_corrupted, "expected an intact gzip file, got a damaged one"),
        (damage_other_content, r"expected the published file \(SHA-256 .*\), got another"),
        (damage_page, "expected a gzip file, .* got 3c 68 74 6d"),
    ],
)
def test_a_location_with_bad_files_is_refused_and_nothing_is_kept(
    tmp_path: Path,
    published: PublishedDataset,
    server: Server,
    damage: Callable[[Path], None],
    message: str,
) -> None:
    damage(server.folder / f"{idx.TEST_IMAGES}.gz")
    with pytest.raises(BadInput, match=rf"(?s)was not found:.*{server.url}: .*{message}"):
        find("auto", str(tmp_path / "cache"), published)
    assert names(tmp_path / "cache") == {"small.lock"}


def test_the_next_location_is_tried(
    tmp_path: Path, published: PublishedDataset, server: Server
) -> None:
    two = replace(published, urls=(NOWHERE, server.url))
    assert find("auto", str(tmp_path / "cache"), two).checksums == published.checksums


@pytest.mark.faults
def test_a_transfer_that_is_cut_off_is_retried(
    tmp_path: Path, published: PublishedDataset, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "RETRIES", 1)
    send = SimpleHTTPRequestHandler.copyfile
    cut: list[str] = []

    def cut_the_first(self: SimpleHTTPRequestHandler, source: object, output: object) -> None:
        if not cut:
            cut.append(self.path)
            return  # The headers promised a whole file.
        send(self, source, output)  # type: ignore[arg-type]

    monkeypatch.setattr(SimpleHTTPRequestHandler, "copyfile", cut_the_first)
    assert find("auto", str(tmp_path / "cache"), published).checksums == published.checksums
    assert server.requests.count(cut[0]) == 2


@pytest.mark.faults
def test_a_silent_server_ends_the_attempt(tmp_path: Path, server: Server) -> None:
    server.delay_seconds = 1.0
    with pytest.raises(BadInput, match=r"^a\.gz: .*Read timed out"):
        download.fetch_http(server.url, ["a.gz"], tmp_path / "folder", timeout=(0.2, 0.2))
    assert len(server.requests) <= 2


def test_an_endless_file_is_cut_short(
    tmp_path: Path, published: PublishedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_MAX_FILE_BYTES", 10_000)
    with pytest.raises(BadInput, match="expected at most 10,000 bytes, got more"):
        find("auto", str(tmp_path / "cache"), published)
    assert names(tmp_path / "cache") == {"small.lock"}


def test_a_transfer_that_takes_too_long_is_cut_short(
    tmp_path: Path, published: PublishedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_MAX_FILE_SECONDS", -1.0)
    with pytest.raises(BadInput, match="expected the file within -1 s, got a part"):
        find("auto", str(tmp_path / "cache"), published)


@pytest.mark.faults
def test_two_processes_at_once_download_once(
    tmp_path: Path, published: PublishedDataset, server: Server
) -> None:
    server.delay_seconds = 0.2
    script = (
        "from fmnist.data.sources import PublishedDataset, find;"
        f"print(find('auto', {str(tmp_path / 'cache')!r}, PublishedDataset('small', "
        f"{dict(published.checksums)!r}, (), {published.urls!r}, None)).checksums)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=300)[0].strip() for process in both]
    assert answers == [str(dict(published.checksums))] * 2
    assert len(server.requests) == 4
    assert names(tmp_path / "cache") == {"small", "small.lock"}


@pytest.mark.faults
def test_a_damaged_cache_is_told_and_replaced(
    tmp_path: Path, published: PublishedDataset, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    find("auto", str(cache), published)
    (cache / "small" / idx.TRAIN_LABELS).write_bytes(b"")
    caplog.clear()
    assert find("auto", str(cache), published).checksums == published.checksums
    assert "skipping" in caplog.messages[0]
    assert "got an empty file" in caplog.messages[0]
    assert names(cache) == {"small", "small.lock"}
    assert sources.read_files(cache / "small").checksums == published.checksums


@pytest.mark.faults
def test_what_a_killed_process_left_is_cleared(tmp_path: Path, published: PublishedDataset) -> None:
    left = tmp_path / "cache" / "small.partial" / "downloaded"
    left.mkdir(parents=True)
    (left / f"{idx.TRAIN_IMAGES}.gz").write_bytes(b"half")
    assert find("auto", str(tmp_path / "cache"), published).checksums == published.checksums
    assert names(tmp_path / "cache") == {"small", "small.lock"}


@pytest.mark.faults
@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_cache_that_cannot_be_written_is_refused(
    tmp_path: Path, published: PublishedDataset, server: Server, below: str
) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    message = "cache.*: expected a writable cache directory, got .*; name another one with"
    with pytest.raises(BadInput, match=message):
        find("auto", str(tmp_path / "cache" / below), published)
    assert server.requests == []


@pytest.mark.faults
def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, published: PublishedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        BadInput, match=r"expected a writable cache directory, got No space left on device"
    ):
        find("auto", str(tmp_path / "cache"), published)
    assert names(tmp_path / "cache") == {"small.lock"}


def test_a_lock_that_is_never_free_is_told(
    tmp_path: Path, published: PublishedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_LOCK_SECONDS", 0.1)
    (tmp_path / "cache").mkdir()
    with (
        FileLock(tmp_path / "cache" / "small.lock"),
        pytest.raises(BadInput, match=r"small\.lock: expected the lock .* another process"),
    ):
        find("auto", str(tmp_path / "cache"), published)


def test_the_systems_folder_comes_first(
    tmp_path: Path, published: PublishedDataset, server: Server, small_data_dir: Path
) -> None:
    system = replace(published, system_folders=(tmp_path / "none", small_data_dir))
    assert find("auto", str(tmp_path / "cache"), system).folder == small_data_dir
    assert server.requests == []
    assert not (tmp_path / "cache").exists()


def test_other_files_in_the_systems_folder_are_skipped(
    tmp_path: Path, published: PublishedDataset, small_data_dir: Path
) -> None:
    other = shutil.copytree(small_data_dir, tmp_path / "system")
    damage_other_content(other / f"{idx.TRAIN_LABELS}.gz")
    system = replace(published, system_folders=(other,))
    assert find("auto", str(tmp_path / "cache"), system).folder == tmp_path / "cache" / "small"


def test_every_place_and_the_remedy_are_named(
    tmp_path: Path, published: PublishedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # No apt-get here.
    nowhere = replace(
        published,
        system_folders=(tmp_path / "share",),
        urls=(NOWHERE,),
        debian_package="dataset-small",
    )
    with pytest.raises(BadInput) as caught:
        find("auto", str(tmp_path / "cache"), nowhere)
    first, *places, remedy = str(caught.value).splitlines()
    assert first == "small was not found:"
    for place, reason in (
        (tmp_path / "share", "no such directory"),
        (tmp_path / "cache" / "small", "no such directory"),
        (NOWHERE, "Connection refused"),
        ("Debian package dataset-small", "without them"),
    ):
        line = places.pop(0)
        assert line.startswith(f"  {place}: ")
        assert reason in line
    assert places == []
    assert "export FMNIST_DATA_DIR=DIRECTORY" in remedy


def test_the_remedy_is_the_package_where_there_is_apt(
    tmp_path: Path, published: PublishedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("apt-get", "dpkg-deb"):
        (tmp_path / command).write_text(
            "#!/bin/sh\necho 'E: Unable to locate package' >&2; exit 100"
        )
        (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    nowhere = replace(published, urls=(), debian_package="dataset-small")
    with pytest.raises(
        BadInput, match=r"(?s)E: Unable to locate.*sudo apt-get install dataset-sma"
    ):
        find("auto", str(tmp_path / "cache"), nowhere)
    assert names(tmp_path / "cache") == {"small.lock"}


def test_a_package_manager_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("apt-get", "dpkg-deb"):
        (tmp_path / command).write_text("#!/bin/sh\nexec sleep 60")
        (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(download, "_APT_SECONDS", 0.2)
    with pytest.raises(BadInput, match="apt-get did not finish within 0 s"):
        download.fetch_debian("package", ["a.gz"], tmp_path / "folder")


def test_a_named_folder_needs_no_checksums(
    tmp_path: Path, published: PublishedDataset, server: Server, small_data_dir: Path
) -> None:
    other = replace(published, checksums=FASHION_MNIST.checksums)
    assert find(str(small_data_dir), str(tmp_path), other).folder == small_data_dir
    assert server.requests == []


@pytest.mark.parametrize("made", ["nothing", "a file"])
def test_a_named_folder_that_is_none_is_refused(tmp_path: Path, made: str) -> None:
    path = tmp_path / "data"
    if made == "a file":
        path.write_text("")
    with pytest.raises(
        BadInput, match=f"^data_dir: expected a directory .*, got {made} at '{path}'"
    ):
        find(str(path), "auto")


def test_an_empty_name_is_no_folder() -> None:
    with pytest.raises(BadInput, match=r"^data_dir: expected a directory .*, got nothing at ''"):
        find("", "auto")


def test_the_variable_names_a_folder(
    tmp_path: Path,
    published: PublishedDataset,
    small_data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FMNIST_DATA_DIR", str(small_data_dir))
    assert find("auto", str(tmp_path), published).folder == small_data_dir


def test_a_bad_variable_is_refused_and_nothing_else_is_tried(
    tmp_path: Path, published: PublishedDataset, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMNIST_DATA_DIR", str(tmp_path / "gone"))
    with pytest.raises(BadInput, match=r"^FMNIST_DATA_DIR: expected a directory .* got nothing at"):
        find("auto", str(tmp_path / "cache"), published)
    (tmp_path / "gone").mkdir()
    with pytest.raises(BadInput, match=r"^FMNIST_DATA_DIR: .*\.gz: expected a file of images"):
        find("auto", str(tmp_path / "cache"), published)
    assert server.requests == []


def test_the_option_beats_the_variable(
    tmp_path: Path, small_data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMNIST_DATA_DIR", str(tmp_path / "gone"))
    assert find(str(small_data_dir), "auto").folder == small_data_dir


def test_the_cache_is_where_the_platform_keeps_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert sources.cache_root("auto").is_relative_to(tmp_path)
    assert sources.cache_root("~/here") == tmp_path / "home" / "here"


def test_importing_fetches_and_configures_nothing() -> None:
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
def test_the_debian_package_holds_fashion_mnist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FMNIST_DATA_DIR", raising=False)
    touched = tmp_path / "touched"
    hooks = ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success")
    (tmp_path / "apt.conf").write_text(
        "".join(f'APT::Update::{hook} {{ "touch {touched}"; }};\n' for hook in hooks)
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    package_only = replace(FASHION_MNIST, system_folders=(), urls=())
    data = dataset.load("auto", str(tmp_path / "cache"), package_only)
    assert data.train.images.shape == (60_000, 28, 28)
    assert data.test.images.shape == (10_000, 28, 28)
    assert np.bincount(data.train.labels).tolist() == [6000] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    # Mean and standard deviation of the training pixels, as published with the data set.
    assert data.train.images.mean() == pytest.approx(72.940, abs=0.001)
    assert data.train.images.std() == pytest.approx(90.021, abs=0.001)
    assert data.digest == "d1fd84a877f3b78fa9a171b3de73f93e"
    assert names(tmp_path / "cache") == {"fashion-mnist", "fashion-mnist.lock"}
    assert not touched.exists()  # The system's hooks did not run.
