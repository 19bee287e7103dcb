"""Entry point `main`: run the complete study."""

from fmnist import cli
from fmnist.options import Study

if __name__ == "__main__":
    cli.run(Study, "fmnist.study.run:main")
