"""Memory use of this process."""

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
