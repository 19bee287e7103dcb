"""The examples in docs/scheduling.md work."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fmnist import names
from tests.helpers.workspace import PROJECT, TIMEOUT_SECONDS, Workspace

PAGE = (PROJECT / "docs" / "scheduling.md").read_text()


def block(language: str, text: str) -> str:
    """The code block of the page in this language that contains the text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    [block] = [block for block in blocks if text in block]
    return block


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    service = block("ini", "[Service]").replace("/opt/fmnist", str(PROJECT))
    (tmp_path / "fmnist-crossval.service").write_text(service)
    (tmp_path / "fmnist-crossval.timer").write_text(block("ini", "[Timer]"))
    units = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert "Persistent=true" in block("ini", "[Timer]")  # a missed start is made up for


@pytest.mark.slow
def test_crontab_line_needs_no_environment(tmp_path: Path, small_data_dir: Path) -> None:
    """As cron starts it: /bin/sh, another directory, three variables, no terminal."""
    line = block("crontab", "entrypoints.crossval").strip()
    command = re.fullmatch(r"30 2 \* \* \* (.*)", line)
    assert command
    words = (
        command[1].replace("/opt/fmnist", str(PROJECT)).replace("/var/lib/fmnist", str(tmp_path))
    )
    words += f" --folds 2 --epochs 1 --data_dir {small_data_dir} --cache_dir {tmp_path}/cache"
    done = subprocess.run(
        ["/bin/sh", "-c", f"{words} </dev/null"],
        cwd="/",
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fold 2: held-out accuracy" in done.stdout
    assert "\r" not in done.stdout
    runs = Workspace(tmp_path, small_data_dir).runs()
    kinds = sorted(run.data.tags[names.TAG_KIND] for run in runs if run.info.status == "FINISHED")
    assert kinds == ["crossval", "fold", "fold"]
