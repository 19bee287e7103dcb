"""Entry point `eda`: explore the dataset."""

from fmnist import cli
from fmnist.options import Eda
from fmnist.system.signals import signals_deferred


def eda(options: Eda) -> None:
    """Explore the dataset."""
    with signals_deferred():  # an interrupted import of NumPy cannot be repeated
        from fmnist.eda import run  # options are validated before this is imported

    run.eda(options)


if __name__ == "__main__":
    cli.run(Eda, eda)
