"""Entry point `tune`: search for the best options and train the winner."""

from fmnist import cli
from fmnist.options import Tune


def tune(options: Tune) -> None:
    """Search for the best options and train the winner."""
    from fmnist.tuning import run  # options are validated before this is imported

    run.tune(options)


if __name__ == "__main__":
    cli.run(Tune, tune)
