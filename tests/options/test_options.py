"""Defaults, text conversion and validation of options."""

import pytest
import yaml

from fmnist.errors import BadInput
from fmnist.options import ENTRY_POINTS, Crossval, Options, Train, Tune, describe_run
from fmnist.options.base import RENAMED_OPTIONS, RUNTIME_ONLY
from fmnist.options.mlproject import command, mlproject
from fmnist.options.tune import SPACES


def test_defaults_are_those_of_the_reference_report() -> None:
    options = Train()
    assert (options.epochs, options.batch_size, options.learning_rate) == (10, 128, 0.001)
    assert (options.dropout, options.validation_fraction, options.seed) == (0.0, 0.1, 0)


def test_text_round_trip() -> None:
    options = Train(learning_rate=1e-5, dropout=0.4, epochs=3, register_as="lenet")
    assert Train.from_text(options.as_text()) == options
    assert Train.from_text({"learning_rate": "1e-3", "unknown": "1"}) == Train(learning_rate=0.001)


def test_logged_parameters_with_old_names_are_understood() -> None:
    logged = {
        "normalise": "on", "optimiser": "sgd", "shift": "2", "erase": "0.5", "test_flip": "on",
        "teacher": "a" * 32, "teacher_share": "0.7",
    }  # fmt: skip
    options = Train.from_text(logged)
    assert options == Train(
        normalize="on", optimizer="sgd", translate=2, random_erasing=0.5, tta_flip="on",
        teacher="a" * 32, distillation_weight=0.7,
    )  # fmt: skip
    assert set(RENAMED_OPTIONS.values()) <= Train.model_fields.keys()


def test_options_in_the_digest() -> None:
    fields = Train().fingerprint_fields().keys()
    assert {"seed", "epochs", "dropout", "keep", "train_size"} <= fields
    assert fields.isdisjoint({"data_dir", "cache_dir", "register_as", "checkpoints", "resume"})
    on_cluster = Crossval(backend="dask", cluster_address="head:8786", workers=3)
    assert on_cluster.fingerprint_fields() == Crossval().fingerprint_fields()
    # More trials extend a study.
    assert Tune(trials=5).fingerprint_fields() == Tune(trials=9, workers=3).fingerprint_fields()
    assert Tune(epochs=5).fingerprint_fields() != Tune(epochs=6).fingerprint_fields()


def test_declarations_of_all_entry_points() -> None:
    declared = {name for options in ENTRY_POINTS.values() for name in options.model_fields}
    assert declared >= RUNTIME_ONLY
    for options in ENTRY_POINTS.values():
        assert all(field.description for field in options.model_fields.values())
        # The shell that `mlflow run` starts drops empty arguments.
        assert all(text.strip() for text in options().as_text().values())
    entry_points = yaml.safe_load(mlproject())["entry_points"].values()
    assert max(len(entry_point["parameters"]) for entry_point in entry_points) <= 15


@pytest.mark.parametrize(
    ("options", "values", "message"),
    [
        (Crossval, {"folds": 1}, "folds=1: "),
        (Crossval, {"resume": "abc"}, "resume=abc: "),
        (Crossval, {"backend": "ray"}, "backend=ray, cluster_address=none: expected the address"),
        (Crossval, {"cluster_address": "head:6379"}, "backend=loky, cluster_address=head:6379: "),
        (Train, {"model": "vgg16", "input_size": 31}, "input_size=31: .* equal to 32"),
        (Crossval, {"input_size": 64}, "input_size=64 is an option of backbones"),
        (Crossval, {"teacher": "a" * 32}, "held-out rows"),
        (Train, {"distillation_weight": 0.7}, "requires a teacher"),
        (Train, {"translate": 5}, "translate=5: input should be less than or equal"),
        (Train, {"random_erasing": "much"}, "random_erasing=much: .*valid number"),
        (Train, {"schedule": "steps"}, "schedule=steps: input should be 'constant'"),
        (Train, {"recipe": "weak"}, "recipe=weak: input should be 'report', 'strong'"),
        (Train, {"weight_decay": 0.1}, "weight_decay=0.1 requires optimizer=adamw"),
        (Train, {"model": "vgg16", "flip": "on"}, "flip=on changes images, but the head of vgg16"),
        (
            Train,
            {"patience": 3, "keep": "last", "validation_fraction": 0},
            "patience=3 requires a validation loss, but validation_fraction=0",
        ),
        (Tune, {"search": "dropout,epochs"}, "`epochs` cannot be searched"),
        (Tune, {"search": "flip", "model": "vgg16"}, "`flip` cannot be searched for model=vgg16"),
        (Tune, {"scoring_folds": 1}, "expected 0, or at least 2"),
        (Tune, {"validation_fraction": 0, "keep": "last"}, "compared on validation rows"),
        (Tune, {"refit": "all"}, "keep=last"),
        (Tune, {"refit": "all", "keep": "last", "patience": 3}, "patience=0"),
        (Tune, {"study": "../up"}, "study=../up"),
    ],
)
def test_invalid_values(options: type[Options], values: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        options(**values)


def test_searched_options_of_tune() -> None:
    assert SPACES.keys() <= Train.model_fields.keys()
    given = Tune(recipe="strong", flip="off", ema=0.5).searched
    assert {"flip", "ema"}.isdisjoint(given)
    assert {"learning_rate", "batch_size", "dropout", "translate", "mixup"} <= set(given)
    backbone = Tune(model="vgg16", weights="none").searched
    assert {"learning_rate", "normalize"} <= set(backbone)
    assert {"flip", "translate", "random_erasing"}.isdisjoint(backbone)
    assert Tune(search="dropout,learning_rate").searched == ("learning_rate", "dropout")


def test_first_trial_of_tune_uses_the_given_options() -> None:
    start = Tune(recipe="strong", learning_rate=0.003, label_smoothing=0.33).start()
    assert start.items() >= {"learning_rate": 0.003, "translate": 1, "ema": 0.999}.items()
    assert "label_smoothing" not in start
    assert Tune(learning_rate=0.5, search="learning_rate,dropout").start() == {"dropout": 0}


def test_winner_of_tune() -> None:
    tune = Tune(recipe="strong", epochs=7, keep="last", refit="all")
    winner = tune.with_chosen({"dropout": 0.2, "translate": 2}).winner()
    assert isinstance(winner, Train)
    assert (winner.epochs, winner.dropout, winner.translate) == (7, 0.2, 2)
    assert winner.validation_fraction == 0
    assert winner.flip == "on"
    assert command("train", winner) == (
        "mlflow run . -e train --env-manager local -P epochs=7 -P dropout=0.2 "
        "-P validation_fraction=0.0 -P keep=last -P recipe=strong -P translate=2"
    )
    assert command("train", Train(data_dir="my data")).endswith(" -P 'data_dir=my data'")


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        ("train", Train(), "lenet5"),
        ("train", Train(seed=1, dropout=0.4, register_as="x"), "lenet5 dropout=0.4 seed=1"),
        ("train", Train(recipe="convnet-15min"), "convnet recipe=convnet-15min"),
        ("train", Train(recipe="strong", flip="off"), "lenet5 recipe=strong flip=off"),
        ("crossval", Crossval(workers=2), "crossval lenet5"),
        ("train", Train(teacher="0123456789abcdef" * 2), "lenet5 teacher=01234567"),
        ("train", Train(run_name="mine", dropout=0.4), "mine"),
    ],
)
def test_runs_are_named_after_their_options(kind: str, options: Options, name: str) -> None:
    assert describe_run(kind, options) == name


def test_parameters_are_the_values_in_use() -> None:
    parameters = Train(recipe="strong", cache_dir="x", run_name="mine").parameters()
    assert (parameters["flip"], parameters["recipe"], parameters["cache_dir"]) == (
        "on", "strong", "x",
    )  # fmt: skip
    without_effect = {"weights", "input_size", "distillation_weight", "resume", "run_name"}
    assert not without_effect & parameters.keys()
    assert Train.from_text(parameters).parameters() == parameters
    assert Train(model="vgg16").parameters()["weights"] == "imagenet"
