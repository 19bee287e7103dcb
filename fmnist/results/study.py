"""The steps of the whole study, in order: what `main` asks of the other entry points."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fmnist.options import Compare, Crossval, Eda, Options, Study, Train

# The one thing that the report changed to do better.
REPORT_DROPOUT: Final = 0.4
TRANSFER: Final = ("vgg16", "resnet50")

EDA: Final = "eda"
LENET: Final = "lenet5"
LENET_DROPOUT: Final = "lenet5, dropout 0.4"
CROSSVAL: Final = "crossval lenet5"
COMPARE: Final = "compare"


@dataclass(frozen=True)
class Step:
    """One run of the study.

    Args:
        name: what the study calls it.
        entry: the entry point that does it.
        options: with which options.
        tags: what its run bears besides, when it is done.
    """

    name: str
    entry: str
    options: Options
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """What does it, as a process of its own."""
        flags = [word for k, v in self.options.as_text().items() for word in (f"--{k}", v)]
        return [sys.executable, "-m", f"entrypoints.{self.entry}", *flags]


@dataclass(frozen=True)
class Done:
    """A step that is done, in this study or before it.

    Args:
        run_id: its run.
        metrics: what that run has once.
        note: that run's description.
        alarm: its drift alarm, empty when there was none.
        seconds: that the study spent on it.
        skipped: the store had it already.
    """

    step: Step
    run_id: str
    metrics: Mapping[str, float]
    note: str
    alarm: str
    seconds: float
    skipped: bool


def steps(options: Study, weights: Mapping[str, str]) -> tuple[Step, ...]:
    """What is to be logged before runs can be compared.

    Args:
        weights: for each of TRANSFER, the weights to start from.
    """
    data = {name: getattr(options, name) for name in ("data_dir", "cache_dir", "seed")}
    fit = data | {"train_size": options.train_size, "epochs": options.epochs}
    train = Train(**fit)
    transfer = (
        Step(model, "train", Train(**fit, model=model, weights=weights[model]))
        for model in TRANSFER
    )
    crossval = Crossval(**fit, folds=options.folds, workers=options.workers)
    return (
        Step(EDA, "eda", Eda(**data, tsne_rows=options.tsne_rows)),
        Step(LENET, "train", train),
        Step(LENET_DROPOUT, "train", train.model_copy(update={"dropout": REPORT_DROPOUT})),
        *transfer,
        Step(CROSSVAL, "crossval", crossval),
    )


def comparing(options: Study, runs: Sequence[str]) -> Step:
    """The last step: these runs compared, by their ids."""
    kept = ("data_dir", "cache_dir", "seed")
    asked = {name: getattr(options, name) for name in kept}
    return Step(COMPARE, "compare", Compare(**asked, runs=",".join(runs)))
