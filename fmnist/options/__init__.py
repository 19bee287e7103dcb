"""What a user may ask for, declared once and rendered wherever it is needed.

`python -m fmnist options` prints the MLproject file that follows from the declarations,
`python -m fmnist options table` the option table of the README.
"""

from fmnist.options.base import Options
from fmnist.options.compare import Compare
from fmnist.options.crossval import Crossval
from fmnist.options.eda import Eda
from fmnist.options.entry_points import ENTRY_POINTS
from fmnist.options.fingerprint import Configuration, configuration, configuration_digest
from fmnist.options.promote import Promote
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
    "configuration_digest",
]
