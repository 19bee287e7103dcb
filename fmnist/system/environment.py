"""What libraries expect of the environment of a process: an encoding and a home directory."""

import codecs
import locale
import os
import sys
import tempfile
from pathlib import Path


def require_utf8() -> None:
    """Start this program again in Python's UTF-8 mode if the locale has another encoding.

    Libraries print and read files in the encoding of the locale, ASCII for `LC_ALL=C`.
    """
    encoding = locale.getpreferredencoding(do_setlocale=False)
    if os.name == "posix" and codecs.lookup(encoding).name != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606


def require_home() -> None:
    """Use a temporary home directory if there is none, as for user ids without a name.

    Libraries write caches and settings there.
    """
    home = os.path.expanduser("~")
    if os.name != "posix" or (os.path.isabs(home) and os.path.isdir(home)):
        return
    folder = Path(tempfile.gettempdir(), f"fmnist-home-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        folder = Path(tempfile.mkdtemp(prefix="fmnist-home-"))
    os.environ["HOME"] = str(folder)
    print(
        f"no home directory: caches, checkpoints and tracking records are kept in {folder}; set "
        "HOME to keep them elsewhere",
        file=sys.stderr,
    )
