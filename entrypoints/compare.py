"""Entry point `compare`: compare logged runs on one page."""

from fmnist import cli
from fmnist.options import Compare
from fmnist.system.signals import signals_deferred


def compare(options: Compare) -> None:
    """Compare logged runs on one page."""
    with signals_deferred():  # an interrupted import of NumPy cannot be repeated
        from fmnist.comparison import run  # options are validated before this is imported

    run.compare(options)


if __name__ == "__main__":
    cli.run(Compare, compare)
