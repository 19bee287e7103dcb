"""The steps of the study."""

from collections.abc import Mapping, Sequence
from typing import Final

from fmnist.options import Compare, Crossval, Eda, Study, Train
from fmnist.results.steps import Step

REFERENCE_DROPOUT: Final = 0.4
BACKBONE_MODELS: Final = ("vgg16", "resnet50")

EDA: Final = "eda"
LENET: Final = "lenet5"
LENET_DROPOUT: Final = "lenet5, dropout 0.4"
CROSSVAL: Final = "crossval lenet5"
COMPARE: Final = "compare"


def create_steps(options: Study, weights: Mapping[str, str]) -> tuple[Step, ...]:
    """All steps before the comparison.

    Args:
        weights: the source of the initial weights of each of `BACKBONE_MODELS`.
    """
    data = _select_data_options(options)
    fit = data | {name: getattr(options, name) for name in ("split_seed", "train_size", "epochs")}
    return (
        Step(EDA, "eda", Eda(**data, tsne_rows=options.tsne_rows)),
        Step(LENET, "train", Train(**fit)),
        Step(LENET_DROPOUT, "train", Train(**fit, dropout=REFERENCE_DROPOUT)),
        *(
            Step(model, "train", Train(**fit, model=model, weights=weights[model]))
            for model in BACKBONE_MODELS
        ),
        Step(CROSSVAL, "crossval", Crossval(**fit, folds=options.folds, workers=options.workers)),
    )


def create_comparison_step(options: Study, run_ids: Sequence[str]) -> Step:
    """The comparison of these runs."""
    return Step(
        COMPARE, "compare", Compare(**_select_data_options(options), runs=",".join(run_ids))
    )


def _select_data_options(options: Study) -> dict[str, object]:
    return {name: getattr(options, name) for name in ("data_dir", "cache_dir", "seed")}
