"""Entry point `main`: run the complete study."""

from fmnist import cli
from fmnist.options import Study
from fmnist.system.signals import signals_deferred


def main(options: Study) -> None:
    """Run the complete study."""
    with signals_deferred():  # an interrupted import of NumPy cannot be repeated
        from fmnist.study import run  # options are validated before this is imported

    run.main(options)


if __name__ == "__main__":
    cli.run(Study, main)
