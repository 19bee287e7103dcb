"""The work continues without a reader of its output, and a full disk is reported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fmnist.errors import WorkFailed
from fmnist.system.console import open_console

pytestmark = pytest.mark.faults

PROJECT = Path(__file__).parents[2]
CODE = """
import sys
from fmnist.system.console import open_console
with open_console():
    for line in range(2_000):
        print(line, "." * 100)
        print(line, "." * 100, file=sys.stderr)
    sys.stdout.flush()
    descriptor = open("data", "wb").fileno()
sys.exit(0 if descriptor > 2 else 3)
"""


@pytest.mark.parametrize("redirection", ["| head -1", "2>&-", ">&- 2>&- <&-"])
def test_missing_readers(tmp_path: Path, redirection: str) -> None:
    """Files that are opened later do not get the numbers of closed streams."""
    command = f'"{sys.executable}" -c "$CODE" {redirection}; exit ${{PIPESTATUS[0]}}'
    environment = os.environ | {"CODE": CODE, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"Error" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_full_disk(monkeypatch) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with open_console():
            print("result")
            with pytest.raises(WorkFailed, match=r"cannot be written \(No space left"):
                sys.stdout.flush()
            print("more", flush=True)
