"""Entry point `tune`: search for the best options and train the winner."""

from fmnist import cli
from fmnist.options import Tune
from fmnist.system.signals import signals_deferred


def tune(options: Tune) -> None:
    """Search for the best options and train the winner."""
    with signals_deferred():  # an interrupted import of NumPy cannot be repeated
        from fmnist.tuning import run  # options are validated before this is imported

    run.tune(options)


if __name__ == "__main__":
    cli.run(Tune, tune)
