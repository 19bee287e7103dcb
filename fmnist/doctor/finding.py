"""What a check found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        level: `fail` when nothing works before it is mended, `warn` when something may not.
        told: what is there.
        mend: the command or the step that mends it, empty where nothing needs it.
    """

    name: str
    level: Literal["ok", "warn", "fail"]
    told: str
    mend: str = ""

    def line(self) -> str:
        """As it is printed."""
        lines = f"{self.level:5} {self.name:15} {self.told}"
        return f"{lines}\n{'':22}mend: {self.mend}" if self.mend else lines
