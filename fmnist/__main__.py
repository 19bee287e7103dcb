"""`python -m fmnist doctor`: look at what usually goes wrong, and say how to mend it."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fmnist.doctor import machine
from fmnist.doctor.finding import Finding


def main(arguments: Sequence[str]) -> int:
    """Print a line for each thing that was looked at; 1 when one must be mended."""
    parser = argparse.ArgumentParser(prog="python -m fmnist", description=__doc__)
    parser.add_argument("what", choices=["doctor"])
    parser.add_argument("--data_dir", default="auto", help="as the entry points take it")
    parser.add_argument("--cache_dir", default="auto", help="as the entry points take it")
    asked = parser.parse_args(arguments)
    levels = []
    for finding in _findings(asked.data_dir, asked.cache_dir):
        levels.append(finding.level)
        print(finding.line(), flush=True)
    print(f"{levels.count('fail')} to mend, {levels.count('warn')} to know of")
    return int("fail" in levels)


def _findings(data_dir: str, cache_dir: str) -> Iterator[Finding]:
    python, packages = machine.python(), None
    yield python
    if python.level == "ok":
        packages = machine.packages()
        yield packages
    yield machine.environments()
    yield machine.cores()
    yield machine.disk(Path.cwd())
    if packages is None or packages.level == "fail":
        return  # what follows needs them
    from fmnist.doctor import kept, store

    yield kept.cache(cache_dir)
    yield kept.data(data_dir, cache_dir)
    yield kept.hed_weights()
    yield kept.imagenet_weights()
    yield store.stale_files()
    yield store.store()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
