"""Files over HTTP, within bounds of time and size."""

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from fmnist.errors import BadInput

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0
RETRIES = 1

_FILE_SECONDS = 600.0
_FILE_BYTES = 64 << 20
_CHUNK = 1 << 16


def fetch(
    location: str,
    names: Iterable[str],
    folder: Path,
    timeout: tuple[float, float] = (CONNECT_SECONDS, SILENCE_SECONDS),
) -> None:
    """Bring `location` + name to `folder` / name for each name; a file comes whole or not at all.

    Args:
        timeout: seconds to connect, and seconds without a byte, after which an attempt ends.

    Raises:
        BadInput: a file did not come, and why.
    """
    import pooch  # With what it imports, slower than reading the whole data set from the cache.

    pooch.get_logger().setLevel(logging.WARNING)
    files = pooch.create(folder, location, registry=dict.fromkeys(names), retry_if_failed=RETRIES)

    def transfer(url: str, output_file: str, _: pooch.Pooch) -> None:
        _transfer(url, Path(output_file), timeout)

    for name in files.registry:
        try:
            files.fetch(name, downloader=transfer)
        except (BadInput, OSError, ValueError) as error:
            # A failed connection carries its cause, which says the same in a quarter of the words.
            cause = getattr(error.args[0] if error.args else None, "reason", error)
            raise BadInput(f"{name}: {cause}") from error


def _transfer(url: str, path: Path, timeout: tuple[float, float]) -> None:
    """One attempt. Not pooch's own downloader, which knows no bounds and leaves sockets open."""
    import requests

    end = time.monotonic() + _FILE_SECONDS
    # The bytes as they lie on the server: some unpack .gz files on the way otherwise.
    headers = {"Accept-Encoding": "identity"}
    with (
        requests.get(url, stream=True, timeout=timeout, headers=headers) as response,
        path.open("wb") as file,
    ):
        response.raise_for_status()
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            if file.tell() > _FILE_BYTES:
                raise BadInput(f"wanted at most {_FILE_BYTES:,} bytes, got more")
            if time.monotonic() > end:
                raise BadInput(f"wanted the file within {_FILE_SECONDS:.0f} s, got a part of it")
