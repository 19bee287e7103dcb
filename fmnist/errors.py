"""The ways in which a command ends other than well; everything else is a fault of ours."""


class BadInput(Exception):
    """Options or files that cannot be used: one clear message, exit code 2.

    The message says what was wanted, what came and what to do.
    """


class WorkFailed(Exception):
    """The work cannot go on (a loss of NaN, a model that loads back differently): exit code 1."""


class WorkDone(Exception):
    """The work is done and its run ends FINISHED, but there is something to say."""


class DriftAlarm(WorkDone):
    """The work is done and stored, but its result is not like those before: exit code 3."""


class PromotionRefused(WorkDone):
    """A model did not pass a gate; the registry is as it was: exit code 4."""


class TrackingIncomplete(Exception):
    """The work is done, but the tracking server has not got all of it; the rest is kept on disk:
    exit code 5.
    """


class Interrupted(BaseException):
    """A signal or a time limit asked the process to stop: runs are closed as KILLED, exit code
    128 + signal (SIGTERM's for a time limit).

    Derived from BaseException so that no `except Exception` on the way keeps the process alive.
    """

    def __init__(self, signum: int, reason: str = "") -> None:
        super().__init__(reason or f"stopped by signal {signum}")
        self.signum = signum
