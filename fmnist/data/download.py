"""Download files over HTTP or from a Debian package, with limits on time and size."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from fmnist.errors import BadInput

RETRIES = 1
TIMEOUT_SECONDS = (5.0, 15.0)  # to connect, and between two bytes

_MAX_FILE_SECONDS = 600.0
_MAX_FILE_BYTES = 64 << 20
_BLOCK = 1 << 16

_APT_SECONDS = 180.0
# The system's own hooks around an update (caches to clear, time stamps) must not run.
_APT_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "15";
Acquire::https::Timeout "15";
"""


def fetch_http(
    url: str,
    names: Iterable[str],
    folder: Path,
    timeout: tuple[float, float] = TIMEOUT_SECONDS,
) -> None:
    """Download `url` + name to `folder` / name for each name.

    Args:
        timeout: seconds to connect, and seconds without data, after which an attempt ends.

    Raises:
        BadInput: a file could not be downloaded.
    """
    for name in names:
        for attempt in range(1 + RETRIES):
            try:
                _download(url + name, folder / name, timeout)
                break
            except (BadInput, OSError) as error:
                if attempt == RETRIES:
                    # The cause of a failed connection gives the same facts in far fewer words.
                    cause = getattr(error.args[0] if error.args else None, "reason", error)
                    raise BadInput(f"{name}: {cause}") from error


def _download(url: str, path: Path, timeout: tuple[float, float]) -> None:
    import requests  # Importing it takes longer than reading the dataset from the cache.

    end = time.monotonic() + _MAX_FILE_SECONDS
    # Without this header, some servers and clients decompress .gz files on the way.
    headers = {"Accept-Encoding": "identity"}
    with (
        requests.get(url, stream=True, timeout=timeout, headers=headers) as response,
        path.open("wb") as file,
    ):
        response.raise_for_status()
        for block in response.iter_content(_BLOCK):
            file.write(block)
            if file.tell() > _MAX_FILE_BYTES:
                raise BadInput(f"expected at most {_MAX_FILE_BYTES:,} bytes, got more")
            if time.monotonic() > end:
                raise BadInput(f"expected the file within {_MAX_FILE_SECONDS:.0f} s, got a part")


def fetch_debian(package: str, names: Iterable[str], folder: Path) -> None:
    """Copy the files called `names` from a Debian package to `folder` / name.

    apt looks the package up in the system's package sources and verifies its signature. It needs
    no root privileges, installs nothing, and writes only below `folder`.

    Raises:
        BadInput: the system has no apt, or the package could not be fetched.
    """
    apt_get, dpkg_deb = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt_get is None or dpkg_deb is None:
        raise BadInput("expected the commands apt-get and dpkg-deb, got a system without them")
    work = folder / "apt"
    archives, extracted = work / "archives", work / "extracted"
    for directory in (work / "lists", work / "cache", archives, extracted):
        directory.mkdir(parents=True)
    (work / "apt.conf").write_text(_APT_CONFIGURATION)
    apt = [
        apt_get,
        f"--config-file={work / 'apt.conf'}",
        f"--option=Dir::State::Lists={work / 'lists'}",
        f"--option=Dir::Cache={work / 'cache'}",
        f"--option=Dir::Cache::archives={archives}",
        # Run as root, apt would switch to a user who cannot write here.
        "--option=APT::Sandbox::User=root",
    ]
    # An update may fail for one package source and still provide the package from another.
    warnings = _run([*apt, "update"], archives) + _run([*apt, "download", package], archives)
    packages = list(archives.glob(f"{package}_*.deb"))
    if len(packages) != 1:
        raise BadInput(
            f"apt-get downloaded no package: {'; '.join(warnings) or 'it gave no reason'}"
        )
    warnings = _run([dpkg_deb, "--extract", str(packages[0]), str(extracted)], archives)
    for name in names:
        path = next(extracted.rglob(name), None)
        if path is None:
            raise BadInput(f"expected {name} in {packages[0].name}, got none {'; '.join(warnings)}")
        path.replace(folder / name)


def _run(command: list[str], folder: Path) -> list[str]:
    """Run an apt or dpkg command and return its errors and warnings."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_APT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"{name} did not finish within {_APT_SECONDS:.0f} s") from error
    except OSError as error:
        raise BadInput(f"cannot run {name}: {error.strerror or error}") from error
    return [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:", "dpkg-deb"))]
