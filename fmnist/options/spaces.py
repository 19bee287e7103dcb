"""What `tune` may choose from: for each option that can be searched, its values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fmnist.options.recipe import OF_IMAGES

_DIGITS: Final = 3


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values


@dataclass(frozen=True)
class Between:
    """A number from a range.

    Args:
        log: drawn so that each doubling is as likely as any other.
    """

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high

    def rounded(self, value: float) -> float:
        """So that a command line can be read; much finer than any search can tell."""
        return float(f"{value:.{_DIGITS}g}")


Space = Choice | Between

# Where 0 means "without it", 0 is one of the choices, so that doing less can win.
SPACES: Final[Mapping[str, Space]] = {
    "learning_rate": Between(0.0003, 0.02, log=True),
    "batch_size": Choice((16, 32, 64, 128, 256)),
    "dropout": Choice((0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
    "normalize": Choice(("off", "on")),
    "flip": Choice(("off", "on")),
    "translate": Choice((0, 1, 2)),
    "random_erasing": Choice((0.0, 0.1, 0.25, 0.5)),
    "mixup": Choice((0.0, 0.1, 0.2, 0.4)),
    "optimizer": Choice(("adam", "adamw", "sgd")),
    "weight_decay": Choice((0.0, 0.005, 0.01, 0.02, 0.05, 0.1)),
    "schedule": Choice(("constant", "cosine", "onecycle")),
    "warmup": Choice((0.0, 0.05, 0.1, 0.2, 0.3)),
    "label_smoothing": Choice((0.0, 0.02, 0.05, 0.1)),
    "ema": Choice((0.0, 0.99, 0.995, 0.999)),
}


def readable(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What a trial chose, numbers of a range rounded."""
    return {
        name: space.rounded(value) if isinstance(space := SPACES[name], Between) else value
        for name, value in chosen.items()
    }


def searchable(from_scratch: bool) -> tuple[str, ...]:
    """The options that mean something to a network of our own, or to the head of a backbone."""
    return tuple(name for name in SPACES if from_scratch or name not in OF_IMAGES)
