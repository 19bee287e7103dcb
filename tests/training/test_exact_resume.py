"""A fit that is interrupted and resumed ends bit-identical to an uninterrupted one."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from fmnist.models.convnet import convnet
from fmnist.models.factory import create_spec
from fmnist.models.lenet5 import lenet5
from fmnist.options import Train
from fmnist.results.training import History
from fmnist.training.checkpoints import ARRAYS
from fmnist.training.features.cache import feature_cache_dir
from fmnist.training.features.extraction import load_features
from fmnist.training.fit import fit
from fmnist.training.input_pipeline import DataSplits
from fmnist.training.train import train_model
from tests.helpers.histories import join_splits, rows_without_times

pytestmark = [pytest.mark.faults, pytest.mark.slow]

NETWORKS = {"lenet5": lenet5, "convnet": convnet}
STRONG = {
    "flip": "on", "translate": 2, "random_erasing": 0.5, "mixup": 0.4, "label_smoothing": 0.1,
    "optimizer": "adamw", "weight_decay": 0.02, "schedule": "cosine", "warmup": 0.1,
}  # fmt: skip


class Interrupted(Exception):
    pass


def fit_200_rows(
    data, folder: Path | None, stop_after: int = 0, model: str = "lenet5", **changes
) -> tuple[keras.Model, History]:
    """Fit 200 rows; the checkpoints after each epoch are copied to `folder-EPOCH`."""
    settings = {"epochs": 3, "batch_size": 50, "learning_rate": 0.003, "keep": "last"}
    options = Train(**settings | changes)
    network = NETWORKS[model](options.dropout, seed=1)
    epochs: list[int] = []

    def on_epoch(epoch, metrics) -> None:
        epochs.append(epoch)
        if folder:
            shutil.copytree(folder, f"{folder}-{epoch}", dirs_exist_ok=True)
        if epoch == stop_after:
            raise Interrupted

    history = fit(
        network,
        *join_splits(data.train.take(np.arange(200)), data.test),
        options,
        on_epoch=on_epoch,
        checkpoint_dir=folder,
    )
    assert epochs == list(range(1, history.epochs + 1)), "each epoch is reported once"
    return network, history


def assert_equal(one: tuple[keras.Model, History], other: tuple[keras.Model, History]) -> None:
    assert rows_without_times(one[1]) == rows_without_times(other[1])
    assert all(map(np.array_equal, one[0].get_weights(), other[0].get_weights()))


def test_a_fit_that_fails_after_an_epoch_is_resumed(data, tmp_path: Path, capsys) -> None:
    """After every epoch, including the last; the result is that of a fit without checkpoints."""
    folder = tmp_path / "fit"
    expected = fit_200_rows(data, None)
    for epoch in (1, 2, 3):
        with pytest.raises(Interrupted):
            fit_200_rows(data, folder, stop_after=epoch)
        arrays = np.load(folder / f"{epoch:06d}" / ARRAYS, allow_pickle=False)
        assert all(arrays[name].dtype != object for name in arrays)
    capsys.readouterr()
    assert_equal(expected, fit_200_rows(data, folder))
    output = capsys.readouterr().out
    assert "resuming after epoch 3/3" in output
    assert "epoch 3/3  " not in output, "no epoch remains to be trained"


@pytest.mark.parametrize(
    ("settings", "epoch"),
    [
        ({"keep": "best", "learning_rate": 0.02, "dropout": 0.4}, 2),
        ({"ema": 0.9, "schedule": "onecycle", "optimizer": "sgd"}, 1),
        (STRONG, 2),
        ({"model": "convnet", "dropout": 0.3, "ema": 0.5, "optimizer": "muon"}, 2),
    ],
    ids=["best-dropout", "ema-onecycle", "augmentation-cosine", "batch-norm-muon"],
)
def test_resuming_is_exact(data, tmp_path: Path, settings, epoch: int) -> None:
    expected = fit_200_rows(data, tmp_path / "fit", **settings)
    assert_equal(expected, fit_200_rows(data, tmp_path / f"fit-{epoch}", **settings))


def test_early_stopping_counts_epochs_before_the_interruption(data, tmp_path: Path) -> None:
    settings = {"patience": 2, "ema": 0.5, "epochs": 40, "keep": "best", "learning_rate": 0.03}
    expected = fit_200_rows(data, tmp_path / "fit", **settings)
    epochs = expected[1].epochs
    assert epochs == expected[1].best_epoch + 2 < 40
    for epoch in (epochs - 1, epochs):
        assert_equal(expected, fit_200_rows(data, tmp_path / f"fit-{epoch}", **settings))


def test_head_and_fine_tuning_are_resumed(data, weights: str, tmp_path: Path) -> None:
    options = Train(
        model="mobilenetv2", weights=weights, epochs=2, dropout=0.3, unfreeze_blocks=1, seed=4
    )
    rows = data.train.take(np.arange(60))
    splits = DataSplits(rows, np.arange(40), np.arange(40, 60), data.test.images[:20])
    cache_dir = feature_cache_dir(str(tmp_path / "cache"))

    def train(folder: Path) -> tuple[keras.Model, History]:
        spec = create_spec(options)
        result = train_model(
            spec, splits, options, checkpoint_dir=folder,
            features=load_features(spec, rows.images, splits.test_images, cache_dir),
            on_epoch=lambda epoch, _: shutil.copytree(
                folder, f"{folder}-{epoch}", dirs_exist_ok=True
            ),
        )  # fmt: skip
        return result.model, result.history

    expected = train(tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run-3").iterdir()) == ["fine-tuned", "head"]
    for epoch in (1, 3):  # while the head is fitted, and while the backbone is fine-tuned
        assert_equal(expected, train(tmp_path / f"run-{epoch}"))
