"""Entry point `crossval`: cross-validate one model."""

from fmnist import cli
from fmnist.options import Crossval
from fmnist.system.signals import signals_deferred


def crossval(options: Crossval) -> None:
    """Cross-validate one model."""
    with signals_deferred():  # an interrupted import of NumPy cannot be repeated
        from fmnist.crossval import run  # options are validated before this is imported

    run.crossval(options)


if __name__ == "__main__":
    cli.run(Crossval, crossval)
