"""What the whole study asks of the other entry points."""

from fmnist.cli import parse
from fmnist.options import Compare, Crossval, Eda, Study, Train
from fmnist.results.study import comparing, steps

WEIGHTS = {"vgg16": "hed-bsds500", "resnet50": "none"}


def test_options_reach_every_step_that_has_them() -> None:
    study = Study(seed=3, epochs=2, train_size=500, folds=4, tsne_rows=90, data_dir="d")
    plan = {step.name: step.options for step in steps(study, WEIGHTS)}
    fit = {"seed": 3, "epochs": 2, "train_size": 500, "data_dir": "d"}
    assert plan == {
        "eda": Eda(seed=3, tsne_rows=90, data_dir="d"),
        "lenet5": Train(**fit),
        "lenet5, dropout 0.4": Train(**fit, dropout=0.4),
        "vgg16": Train(**fit, model="vgg16", weights="hed-bsds500"),
        "resnet50": Train(**fit, model="resnet50", weights="none"),
        "crossval lenet5": Crossval(**fit, folds=4),
    }


def test_a_step_is_the_command_that_a_user_would_type() -> None:
    step = comparing(Study(seed=7), ["a" * 32, "b" * 32])
    assert step.command[1:3] == ["-m", "entrypoints.compare"]
    parsed = parse(Compare, step.command[3:], "compare")
    assert parsed == Compare(seed=7, runs=f"{'a' * 32},{'b' * 32}")
