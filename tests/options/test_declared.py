"""Options are declared once; everything else follows from the declaration."""

import pytest
from pydantic import ValidationError

from fmnist.errors import BadInput
from fmnist.options import ENTRY_POINTS, Crossval, Train


def test_defaults_are_the_reports_settings() -> None:
    options = Train()
    assert (options.epochs, options.batch_size, options.learning_rate) == (10, 128, 0.001)
    assert (options.dropout, options.validation_fraction, options.seed) == (0.0, 0.1, 0)


def test_options_survive_being_text() -> None:
    options = Train(learning_rate=1e-5, dropout=0.4, epochs=3, register_as="lenet")
    assert Train.from_text(options.as_text()) == options


def test_other_spellings_of_a_number_mean_the_same() -> None:
    assert Train.from_text({"learning_rate": "1e-3", "unknown": "1"}) == Train(learning_rate=0.001)


def test_options_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Train().epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    "option", ["data_dir", "cache_dir", "register_as", "checkpoints", "resume"]
)
def test_how_the_work_is_done_is_no_part_of_the_configuration(option: str) -> None:
    assert option not in Train().fingerprint_fields()


def test_everything_else_is() -> None:
    assert {
        "seed",
        "epochs",
        "dropout",
        "keep",
        "train_size",
    } <= Train().fingerprint_fields().keys()


def test_no_default_is_empty() -> None:
    """An empty text does not survive the shell that `mlflow run` starts."""
    for _, options in ENTRY_POINTS.values():
        assert all(text.strip() for text in options().as_text().values())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"folds": 1}, "folds=1: "),
        ({"resume": "abc"}, "resume=abc: "),
        ({"backend": "ray"}, "backend=ray, cluster_address=none: wanted the address"),
        ({"cluster_address": "head:6379"}, "backend=loky, cluster_address=head:6379: wanted"),
        ({"input_size": 64}, "input_size=64 is for backbones and says nothing of model=lenet5"),
    ],
)
def test_crossval_is_told_what_cannot_be(given: dict, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        Crossval(**given)


def test_where_folds_are_trained_is_no_part_of_the_configuration() -> None:
    there = Crossval(backend="dask", cluster_address="head:8786", workers=3)
    assert there.fingerprint_fields() == Crossval().fingerprint_fields()
