"""Options of the entry points, each declared once.

The command line, MLproject and docs/options.md are generated from these declarations.
"""

from collections.abc import Mapping
from typing import Final

from fmnist.options.base import Options
from fmnist.options.compare import Compare
from fmnist.options.crossval import Crossval
from fmnist.options.eda import Eda
from fmnist.options.fingerprint import Configuration, configuration
from fmnist.options.promote import Promote
from fmnist.options.run_names import describe_run
from fmnist.options.study import Study
from fmnist.options.train import Train
from fmnist.options.tune import Tune

__all__ = [
    "ENTRY_POINTS",
    "Compare",
    "Configuration",
    "Crossval",
    "Eda",
    "Options",
    "Promote",
    "Study",
    "Train",
    "Tune",
    "configuration",
    "describe_run",
]

# The module in `entrypoints` has the same name.
ENTRY_POINTS: Final[Mapping[str, type[Options]]] = {
    "main": Study,
    "train": Train,
    "crossval": Crossval,
    "eda": Eda,
    "compare": Compare,
    "tune": Tune,
    "promote": Promote,
}
