"""A fit that is cut off after any epoch and goes on ends as if it had not been, to the bit."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from fmnist import names
from fmnist.models import factory
from fmnist.models.convnet import convnet
from fmnist.models.lenet5 import lenet5
from fmnist.options import Train
from fmnist.options.recipe import Recipe
from fmnist.results.training import History
from fmnist.training.checkpoints import ARRAYS, Checkpoints
from fmnist.training.features.frozen import frozen
from fmnist.training.features.store import folder_of
from fmnist.training.fit import fit
from fmnist.training.train import DataSplits, train_model

pytestmark = [pytest.mark.faults, pytest.mark.slow]

CLOCKS = {names.EPOCH_SECONDS, names.IMAGES_PER_SECOND}
NETWORKS = {"lenet5": lenet5, "convnet": convnet}


class Cut(Exception):
    """The fit ends here."""


def fitted(
    data, place: Path | None, cut: int = 0, model: str = "lenet5", dropout: float = 0.0, **changes
) -> tuple[keras.Model, History]:
    """A fit to 200 rows, cut off when the end of an epoch is told.

    What is on the disk after each epoch is copied beside `place`, with the epoch in its name.
    """
    network = NETWORKS[model](dropout, seed=1)
    told: list[int] = []

    def on_epoch(epoch, metrics) -> None:
        told.append(epoch)
        if place:
            shutil.copytree(place, f"{place}-{epoch}", dirs_exist_ok=True)
        if epoch == cut:
            raise Cut

    settings = {"epochs": 3, "batch_size": 50, "learning_rate": 0.003, "keep": "last"} | changes
    checkpoints = Checkpoints(place) if place else None
    rows = data.train.take(np.arange(200))
    history = fit(
        network, rows, data.test, seed=0, on_epoch=on_epoch, checkpoints=checkpoints, **settings
    )
    assert told == list(range(1, history.epochs + 1)), "each epoch is told once"
    return network, history


def assert_equal(one: tuple[keras.Model, History], other: tuple[keras.Model, History]) -> None:
    rows = [
        [{k: v for k, v in row.items() if k not in CLOCKS} for row in history.rows]
        for _, history in (one, other)
    ]
    assert rows[0] == rows[1]
    assert all(map(np.array_equal, one[0].get_weights(), other[0].get_weights()))


def test_a_fit_that_raises_after_an_epoch_goes_on(data, tmp_path: Path, capsys) -> None:
    """After any of them, also the last; twice; and it is as one that keeps nothing on disk."""
    place = tmp_path / "fit"
    whole = fitted(data, None)
    for cut in (1, 2, 3):
        with pytest.raises(Cut):
            fitted(data, place, cut=cut)
        arrays = np.load(place / f"{cut:06d}" / ARRAYS, allow_pickle=False)
        assert all(arrays[name].dtype != object for name in arrays)
    capsys.readouterr()
    assert_equal(whole, fitted(data, place))
    said = capsys.readouterr().out
    assert "goes on after epoch 3/3, from a checkpoint" in said
    assert "epoch 3/3  " not in said, "no epoch is left to train"


STRONG = {"flip": "on", "translate": 2, "random_erasing": 0.5, "mixup": 0.4, "label_smoothing": 0.1}
STRONG |= {"optimizer": "adamw", "weight_decay": 0.02, "schedule": "cosine", "warmup": 0.1}


@pytest.mark.parametrize(
    ("settings", "cut"),
    [
        ({"keep": "best", "learning_rate": 0.02, "dropout": 0.4}, 2),
        ({"techniques": Recipe(ema=0.9, schedule="onecycle", optimizer="sgd")}, 1),
        ({"techniques": Recipe(**STRONG)}, 2),
        ({"model": "convnet", "dropout": 0.3, "techniques": Recipe(ema=0.5)}, 2),
    ],
    ids=["best-dropout", "ema-onecycle", "altered-cosine", "batch-norm"],
)
def test_it_ends_as_if_it_had_not_been_cut_off(data, tmp_path: Path, settings, cut) -> None:
    whole = fitted(data, tmp_path / "fit", **settings)
    assert_equal(whole, fitted(data, tmp_path / f"fit-{cut}", **settings))


def test_patience_counts_the_epochs_before_the_cut(data, tmp_path: Path) -> None:
    """Cut after the best epoch, and after the last, when it is already known to be the last."""
    settings = {"techniques": Recipe(patience=2, ema=0.5), "epochs": 40, "keep": "best"}
    settings |= {"learning_rate": 0.03}
    whole = fitted(data, tmp_path / "fit", **settings)
    assert whole[1].epochs == whole[1].best_epoch + 2 < 40
    for cut in (whole[1].epochs - 1, whole[1].epochs):
        assert_equal(whole, fitted(data, tmp_path / f"fit-{cut}", **settings))


def test_a_head_and_its_fine_tuning_go_on(data, weights: str, tmp_path: Path) -> None:
    """Cut while the head is fitted, and while its backbone is fine-tuned."""
    asked = Train(
        model="mobilenetv2", weights=weights, epochs=2, dropout=0.3, unfreeze_blocks=1, seed=4
    )
    rows = data.train.take(np.arange(60))
    division = DataSplits(rows, np.arange(40), np.arange(40, 60), data.test.images[:20])
    cache = folder_of(str(tmp_path / "cache"))

    def trained(place: Path) -> tuple[keras.Model, History]:
        spec = factory.spec(asked)
        features = frozen(spec, rows.images, division.test_images, cache)
        done = train_model(
            spec, division, asked, features=features, checkpoints=place,
            on_epoch=lambda epoch, _: shutil.copytree(
                place, f"{place}-{epoch}", dirs_exist_ok=True
            ),
        )  # fmt: skip
        return done.model, done.history

    whole = trained(tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run-3").iterdir()) == ["fine-tuned", "head"]
    for cut in (1, 3):
        assert_equal(whole, trained(tmp_path / f"run-{cut}"))
