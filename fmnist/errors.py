"""The three ways in which a command ends early; everything else is a fault of ours."""


class BadInput(Exception):
    """Options or files that cannot be used: one clear message, exit code 2.

    The message says what was wanted, what came and what to do.
    """


class WorkFailed(Exception):
    """The work cannot go on (a loss of NaN, a model that loads back differently): exit code 1."""


class Interrupted(BaseException):
    """A signal asked the process to stop: runs are closed as KILLED, exit code 128 + signal.

    Derived from BaseException so that no `except Exception` on the way keeps the process alive.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by signal {signum}")
        self.signum = signum
