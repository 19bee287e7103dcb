"""What a user may ask for, declared once and rendered wherever it is needed.

`python -m fmnist.options` prints the MLproject file that follows from the declarations,
`python -m fmnist.options table` the option table of the README.
"""

from fmnist.options.base import Options
from fmnist.options.declared import ENTRY_POINTS, Compare, Crossval, Eda, Train
from fmnist.options.digest import configuration_digest
from fmnist.options.promote import Promote

__all__ = [
    "ENTRY_POINTS",
    "Compare",
    "Crossval",
    "Eda",
    "Options",
    "Promote",
    "Train",
    "configuration_digest",
]
