"""Entry point `eda`: explore the dataset."""

from fmnist import cli
from fmnist.options import Eda


def eda(options: Eda) -> None:
    """Explore the dataset."""
    from fmnist.eda import run  # options are validated before this is imported

    run.eda(options)


if __name__ == "__main__":
    cli.run(Eda, eda)
