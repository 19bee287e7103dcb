"""Exceptions that end a command with a message for the user, and their exit codes."""

from typing import ClassVar


class CommandError(Exception):
    """Base class: the message is printed without a traceback."""

    exit_code: ClassVar[int] = 1


class BadInput(CommandError):
    """Invalid options or files. The message says what was expected, received, and how to fix it."""

    exit_code = 2


class WorkFailed(CommandError):
    """The command cannot continue, for example because the loss is NaN. The run is FAILED."""


class WorkDone(CommandError):
    """The command is complete and its run is FINISHED, but the exit code is not 0."""


class DriftAlarm(WorkDone):
    """The result of a cross-validation differs from earlier ones of the same configuration."""

    exit_code = 3


class PromotionRefused(WorkDone):
    """A gate rejected the model; the registry is unchanged."""

    exit_code = 4


class TrackingIncomplete(CommandError):
    """The command is complete, but some tracking records are kept on disk instead of uploaded."""

    exit_code = 5


class Interrupted(BaseException):
    """A signal or a time limit stopped the process: its runs are KILLED, exit code 128 + signal.

    Not an `Exception`, so that no `except Exception` keeps the process alive. A time limit counts
    as SIGTERM.
    """

    def __init__(self, signum: int, reason: str = "") -> None:
        super().__init__(reason or f"stopped by signal {signum}")
        self.signum = signum
