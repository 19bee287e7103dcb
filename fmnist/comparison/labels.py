"""What the compared_models are called: short, unique, and with all that tells them apart."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from fmnist import names
from fmnist.options import Train
from fmnist.options.recipe import REPORT_RECIPE
from fmnist.options.train import FROM_SCRATCH, model_title
from fmnist.results.runs import LoggedRun

LENET: Final = "lenet5"
IMAGENET: Final = "imagenet"
NO_WEIGHTS: Final = "none"

_IN_THE_NAME: Final = ("model", "weights")
_SHORTEST_ID: Final = 8


def labels(runs: Sequence[LoggedRun]) -> list[str]:
    """One for each run: its model, weights other than ImageNet's, and what others have not.

    An option is named where it is not the default, or not its recipe's, and not every run has that
    value. Runs that are still alike are told apart by the start of their id.
    """
    called = [", ".join([_model(run), *_options(run, runs)]) for run in runs]
    times = Counter(called)
    return [
        f"{label} (run {_short_id(run, runs)})" if times[label] > 1 else label
        for label, run in zip(called, runs, strict=True)
    ]


def weights(run: LoggedRun) -> str:
    """Where a backbone's weights come from; the tag knows what the option left open."""
    return run.tags.get(names.TAG_WEIGHTS, run.options.weights)


def spelled(option: str, value: str) -> str:
    """An option in words, such as `batch size 64`."""
    return f"{option.replace('_', ' ')} {value}"


def _model(run: LoggedRun) -> str:
    model = run.options.model
    return model_title(model, "" if model in FROM_SCRATCH else weights(run))


def _options(run: LoggedRun, runs: Sequence[LoggedRun]) -> list[str]:
    recipe, model = run.options.recipe, run.options.model
    own = run.options.fingerprint_fields()
    default = Train(recipe=recipe, model=model).fingerprint_fields()
    everyone = [other.options.fingerprint_fields() for other in runs]
    named = recipe != REPORT_RECIPE and any(other.options.recipe != recipe for other in runs)
    return [spelled("recipe", recipe)] * named + [
        spelled(option, value)
        for option, value in own.items()
        if option not in _IN_THE_NAME
        and value != default[option]
        and any(other[option] != value for other in everyone)
    ]


def _short_id(run: LoggedRun, runs: Sequence[LoggedRun]) -> str:
    length = _SHORTEST_ID
    while sum(other.run_id.startswith(run.run_id[:length]) for other in runs) > 1:
        length += 1
    return run.run_id[:length]
