"""The steps of the study."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fmnist.models import factory
from fmnist.options import Compare, Crossval, Eda, Study, Train, configuration
from fmnist.results.steps import Step

BACKBONE_MODELS: Final = ("vgg16", "resnet50")

EDA: Final = "eda"
LENET: Final = "lenet5"
LENET_DROPOUT: Final = "lenet5 dropout 0.4"
CROSSVAL: Final = "crossval lenet5"
COMPARE: Final = "compare"

# Recipes of tier=tuned: each side in its best configuration. `convnet-15min` is left out: three
# seeds take 50 minutes.
TUNED_LENET: Final = "lenet5-60"
TUNED_BACKBONE: Final = "vgg16-frozen"

# The steps of one process: one, or trainings that differ only in their seed.
Group = Sequence[Step]


def create_stages(
    options: Study, weights: Mapping[str, str], data_digest: str
) -> tuple[Sequence[Group], ...]:
    """All steps before the comparison. The groups of a stage may run at the same time.

    Cross-validation uses all cores itself, so it is a stage of its own. The others begin with the
    groups that usually take longest, so that no core waits for the last one.

    Args:
        weights: the source of the initial weights of each of `BACKBONE_MODELS`.
    """
    data = _select_data_options(options)
    fit = data | {name: getattr(options, name) for name in ("split_seed", "train_size", "epochs")}
    eda = Eda(**data, tsne_rows=options.tsne_rows)
    crossval = Crossval(**fit, folds=options.folds, workers=options.workers)
    seeds = range(options.seed, options.seed + options.seeds)
    cross_validated = factory.create_spec(crossval).configuration(crossval, data_digest)
    trainings = [
        [_create_training(name, each, seed, data_digest) for seed in seeds]
        for name, each in reversed(_list_models(options, weights, fit).items())
    ]
    return (
        [*trainings, [Step(EDA, "eda", eda, configuration(eda, data_digest).digest)]],
        [[Step(CROSSVAL, "crossval", crossval, cross_validated.digest)]],
    )


def create_comparison_step(options: Study, run_ids: Sequence[str]) -> Step:
    """The comparison of these runs."""
    return Step(
        COMPARE, "compare", Compare(**_select_data_options(options), runs=",".join(run_ids))
    )


def _list_models(
    options: Study, weights: Mapping[str, str], fit: Mapping[str, Any]
) -> dict[str, Train]:
    """The options of each model, by name of the step."""
    models = {LENET: Train(**fit), LENET_DROPOUT: Train(**fit, dropout=0.4)}
    models |= {name: Train(**fit, model=name, weights=weights[name]) for name in BACKBONE_MODELS}
    if options.tier == "tuned":
        # The same rows as the other models, so that there are validation rows to compare on.
        rows = {name: value for name, value in fit.items() if name != "epochs"}
        rows["validation_fraction"] = models[LENET].validation_fraction
        models[TUNED_LENET] = Train(**rows, recipe=TUNED_LENET)
        if weights["vgg16"] != "none":  # random features are no transfer learning at its best
            models[TUNED_BACKBONE] = Train(**rows, recipe=TUNED_BACKBONE, weights=weights["vgg16"])
    return models


def _create_training(name: str, options: Train, seed: int, data_digest: str) -> Step:
    seeded = options.model_copy(update={"seed": seed})
    digest = factory.create_spec(seeded).configuration(seeded, data_digest).digest
    return Step(name, "train", seeded, digest)


def _select_data_options(options: Study) -> dict[str, Any]:
    return {name: getattr(options, name) for name in ("data_dir", "cache_dir", "seed")}
