"""Run commands as processes, several at a time."""

import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from typing import IO, Final, NamedTuple, TextIO

from fmnist.system.console import current_console
from fmnist.system.progress import Progress
from fmnist.system.signals import signals_deferred

_POLL_SECONDS: Final = 0.1
# A process that outlives the command may keep its output open.
_LAST_LINES_SECONDS: Final = 5.0


class Command(NamedTuple):
    """A command line, its environment, and a name for its output."""

    name: str
    words: Sequence[str]
    environment: Mapping[str, str]


class Ended(NamedTuple):
    """A process that has ended.

    Args:
        number: position of its command.
        started: seconds since 1970.
    """

    number: int
    code: int
    started: float


def run_processes(commands: Sequence[Command], limit: int, progress: Progress) -> Generator[Ended]:
    """Run commands and yield each when it ends, in the order in which they end.

    If the caller stops early, or this process is interrupted, the running processes are terminated.

    Args:
        limit: number of processes at a time; with several, each line of output begins with the name
            of its command.
        progress: shown with the name of each command that starts, and while several run.
    """
    waiting = list(enumerate(commands))[::-1]
    running: dict[int, _Process] = {}
    share_output = min(limit, len(commands)) > 1
    try:
        # A single process writes to the terminal itself.
        with current_console().activity(progress.describe if share_output else None):
            while waiting or running:
                while waiting and len(running) < limit:
                    number, command = waiting.pop()
                    print(f"\n{command.name} ({progress.describe()})", flush=True)
                    with signals_deferred():  # so that no process is left running
                        running[number] = _Process(command, share_output)
                ended = [n for n, each in running.items() if each.process.poll() is not None]
                for number in ended:
                    process = running.pop(number)
                    process.close()
                    yield Ended(number, process.process.returncode, process.started)
                if not ended:
                    time.sleep(_POLL_SECONDS)
    finally:
        for each in running.values():
            each.process.terminate()
        for each in running.values():
            each.process.wait()  # it closes its own run
            each.close()


class _Process:
    """A running command; its output is prefixed with its name if it shares the terminal."""

    def __init__(self, command: Command, share_output: bool) -> None:
        pipe = subprocess.PIPE if share_output else None
        self.started = time.time()
        self.process = subprocess.Popen(
            command.words,
            env=dict(command.environment),
            stdout=pipe,
            stderr=pipe,
            text=True,
            errors="replace",
        )
        streams = ((self.process.stdout, sys.stdout), (self.process.stderr, sys.stderr))
        self._threads = [
            threading.Thread(target=_copy_lines, args=(source, target, command.name), daemon=True)
            for source, target in streams
            if source
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Wait until all output is copied."""
        for thread in self._threads:
            thread.join(_LAST_LINES_SECONDS)


def _copy_lines(source: IO[str], target: TextIO, name: str) -> None:
    # In text mode a carriage return ends a line too, so that progress bars are lines.
    with source:
        for line in source:
            if text := line.rstrip():
                print(f"{name}: {text}", file=target, flush=True)
