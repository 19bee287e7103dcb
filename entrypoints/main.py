"""Entry point `main`: run the complete study."""

from fmnist import cli
from fmnist.options import Study


def main(options: Study) -> None:
    """Run the complete study."""
    from fmnist.study import run  # options are validated before this is imported

    run.main(options)


if __name__ == "__main__":
    cli.run(Study, main)
