"""Entry point `train`: train one model and log it."""

from fmnist import cli
from fmnist.options import Train
from fmnist.system.signals import signals_deferred


def train(options: Train) -> None:
    """Train one model and log it."""
    with signals_deferred():  # an interrupted import of NumPy cannot be repeated
        from fmnist.training import run  # options are validated before this is imported

    run.train(options)


if __name__ == "__main__":
    cli.run(Train, train)
