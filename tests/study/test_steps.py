"""The steps of the study have the options of the study."""

from fmnist.options import Compare, Crossval, Eda, Study, Train
from fmnist.study.steps import create_comparison_step, create_steps


def test_options_are_passed_to_every_step_that_has_them() -> None:
    study = Study(seed=3, epochs=2, train_size=500, folds=4, tsne_rows=90, data_dir="d")
    weights = {"vgg16": "hed-bsds500", "resnet50": "none"}
    steps = {step.name: step.options for step in create_steps(study, weights)}
    fit = {"seed": 3, "epochs": 2, "train_size": 500, "data_dir": "d"}
    assert steps == {
        "eda": Eda(seed=3, tsne_rows=90, data_dir="d"),
        "lenet5": Train(**fit),
        "lenet5, dropout 0.4": Train(**fit, dropout=0.4),
        "vgg16": Train(**fit, model="vgg16", weights="hed-bsds500"),
        "resnet50": Train(**fit, model="resnet50", weights="none"),
        "crossval lenet5": Crossval(**fit, folds=4),
    }


def test_a_step_is_a_command_with_all_options() -> None:
    step = create_comparison_step(Study(seed=7), ["a" * 32, "b" * 32])
    assert step.command[1:3] == ["-m", "entrypoints.compare"]
    flags = step.command[3:]
    options = {k.removeprefix("--"): v for k, v in zip(flags[::2], flags[1::2], strict=True)}
    assert Compare.from_text(options) == Compare(seed=7, runs=f"{'a' * 32},{'b' * 32}")
