"""Entry point `crossval`: cross-validate one model."""

from fmnist import cli
from fmnist.options import Crossval


def crossval(options: Crossval) -> None:
    """Cross-validate one model."""
    from fmnist.crossval import run  # options are validated before this is imported

    run.crossval(options)


if __name__ == "__main__":
    cli.run(Crossval, crossval)
