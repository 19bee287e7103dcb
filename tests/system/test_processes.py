"""Commands run several at a time; their lines carry their names."""

import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from fmnist.system.processes import Command, Ended, run_processes
from fmnist.system.progress import Progress


def start(scripts: dict[str, str], limit: int) -> Generator[Ended]:
    commands = [Command(name, ["sh", "-c", text], os.environ) for name, text in scripts.items()]
    return run_processes(commands, limit, Progress("runs", len(scripts)))


def test_lines_of_processes_that_run_at_the_same_time_have_their_name(capfd) -> None:
    scripts = {"a": "echo one; printf '1\\r2\\n'", "b": "echo two >&2; exit 3"}
    codes = {each.number: each.code for each in start(scripts, limit=2)}
    assert codes == {0: 0, 1: 3}
    output = capfd.readouterr()
    # The carriage returns of a progress bar end lines.
    assert [line for line in output.out.splitlines() if line.startswith("a: ")] == [
        "a: one", "a: 1", "a: 2",
    ]  # fmt: skip
    assert output.err == "b: two\n"


def test_no_more_processes_than_the_limit(tmp_path: Path, capfd) -> None:
    """Each process fails if another one is running."""
    script = f"mkdir {tmp_path}/running && sleep 0.05 && rmdir {tmp_path}/running"
    ended = list(start(dict.fromkeys("abc", script), limit=1))
    assert [(each.number, each.code) for each in ended] == [(0, 0), (1, 0), (2, 0)]
    assert ended[0].started < ended[1].started < ended[2].started


def test_the_others_are_terminated_if_the_caller_stops(tmp_path: Path, capfd) -> None:
    hanging = (
        f"trap 'touch {tmp_path}/closed; kill $!; exit' TERM; touch {tmp_path}/up; sleep 60 & wait"
    )
    failing = f"while [ ! -e {tmp_path}/up ]; do sleep 0.01; done; exit 1"
    with closing(start({"fails": failing, "hangs": hanging}, limit=2)) as processes:
        assert next(processes).code == 1
    assert (tmp_path / "closed").exists()
