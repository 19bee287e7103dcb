"""The table of entry points: what a user can run, and the options that each takes."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from fmnist.options.base import Options
from fmnist.options.compare import Compare
from fmnist.options.crossval import Crossval
from fmnist.options.eda import Eda
from fmnist.options.promote import Promote
from fmnist.options.study import Study
from fmnist.options.train import Train
from fmnist.options.tune import Tune


class EntryPoint(NamedTuple):
    """A name of the MLproject file: the script that does its work and the options it takes."""

    script: str
    options: type[Options]


ENTRY_POINTS: Final[Mapping[str, EntryPoint]] = {
    "main": EntryPoint("main", Study),
    "train": EntryPoint("train", Train),
    "crossval": EntryPoint("crossval", Crossval),
    "eda": EntryPoint("eda", Eda),
    "compare": EntryPoint("compare", Compare),
    "tune": EntryPoint("tune", Tune),
    "promote": EntryPoint("promote", Promote),
}
