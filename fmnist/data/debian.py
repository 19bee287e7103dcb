"""Files out of a Debian package, without root and without touching the system."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from fmnist.errors import BadInput

_SECONDS = 180.0
# The system's own hooks around an update (caches to clean, stamps to touch) are not ours to run.
_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "15";
Acquire::https::Timeout "15";
"""


def fetch(package: str, names: Iterable[str], folder: Path) -> None:
    """Bring the files called `names`, wherever in the package they are, to `folder` / name.

    The package is looked up afresh in the system's own package sources, checked by their
    signatures, and neither installed nor left anywhere but under `folder`.

    Raises:
        BadInput: this is no Debian-like system, or the package did not come, and why.
    """
    apt_get, dpkg_deb = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt_get is None or dpkg_deb is None:
        raise BadInput("wanted the commands apt-get and dpkg-deb, got a system without them")
    lists, cache, archives, root = (
        folder / "apt" / name for name in ("lists", "cache", "archives", "root")
    )
    for private in (lists, cache, archives, root):
        private.mkdir(parents=True)
    configuration = folder / "apt" / "apt.conf"
    configuration.write_text(_CONFIGURATION)
    apt = (
        apt_get,
        f"--config-file={configuration}",
        f"--option=Dir::State::Lists={lists}",
        f"--option=Dir::Cache={cache}",
        f"--option=Dir::Cache::archives={archives}",
        # As root, apt would drop to a user who cannot write here; as anyone else it ignores this.
        "--option=APT::Sandbox::User=root",
    )
    # An update may complain about one source and still bring what is wanted from another.
    complaints = _run([*apt, "update"], archives)
    complaints += _run([*apt, "download", package], archives)
    packages = list(archives.glob(f"{package}_*.deb"))
    if len(packages) != 1:
        raise BadInput(
            f"apt-get brought no package: {'; '.join(complaints) or 'it gave no reason'}"
        )
    complaints = _run([dpkg_deb, "--extract", str(packages[0]), str(root)], archives)
    for name in names:
        found = next(root.rglob(name), None)
        if found is None:
            raise BadInput(f"wanted {name} in {packages[0].name}, got none {'; '.join(complaints)}")
        found.replace(folder / name)


def _run(command: Sequence[str], folder: Path) -> list[str]:
    """Run a command to its end; what it complained of, nothing if it was content."""
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
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"wanted {name} to end within {_SECONDS:.0f} s, it did not") from error
    except OSError as error:
        raise BadInput(f"wanted to run {name}, got {error.strerror or error}") from error
    return [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:", "dpkg-deb"))]
