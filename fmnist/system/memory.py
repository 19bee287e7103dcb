"""Memory use of this process."""

import atexit
import gc
import sys
from pathlib import Path

import psutil


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes, including mapped files."""
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage, not inherited from the program before exec
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return 1024 * int(line.split()[1])
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # POSIX only

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def collect_rarely() -> None:
    """Make garbage collection rare, and omit it at exit; call this before heavy imports.

    TensorFlow and MLflow create 600,000 objects that live as long as the process. With Python's
    default thresholds, the searches take a quarter of the import time, and over a second at exit.
    """
    gc.set_threshold(100_000, 50, 100)
    atexit.register(gc.freeze)
