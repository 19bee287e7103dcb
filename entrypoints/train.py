"""Entry point `train`: train one model and log it."""

from fmnist import cli
from fmnist.options import Train


def train(options: Train) -> None:
    """Train one model and log it."""
    from fmnist.training import run  # options are validated before this is imported

    run.train(options)


if __name__ == "__main__":
    cli.run(Train, train)
