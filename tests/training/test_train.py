"""Training a frozen backbone gives what training the whole model would, with or without a cache."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from fmnist import names
from fmnist.errors import WorkFailed
from fmnist.models.factory import ModelSpec, create_spec
from fmnist.options import Train
from fmnist.results.training import History
from fmnist.training import train as train_module
from fmnist.training.features.cache import DATA, METADATA, feature_cache_dir, load_or_compute
from fmnist.training.features.extraction import extract_features, load_features
from fmnist.training.input_pipeline import DataSplits
from fmnist.training.train import TrainResult, train_model
from tests.helpers.histories import rows_without_times

TRAIN_ROWS, VALIDATION_ROWS = np.arange(0, 250), np.arange(250, 300)


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return feature_cache_dir(str(tmp_path_factory.mktemp("cache")))


def create_options(weights: str, **changes) -> Train:
    settings = {"model": "mobilenetv2", "weights": weights, "epochs": 3, "dropout": 0.3}
    return Train(**settings | changes)


def train(data, cache_dir: Path | None, weights: str, **changes) -> tuple[ModelSpec, TrainResult]:
    options = create_options(weights, **changes)
    spec = create_spec(options)
    epochs: list[int] = []
    result = train_model(
        spec,
        DataSplits(data.train, TRAIN_ROWS, VALIDATION_ROWS, data.test.images),
        options,
        features=load_features(spec, data.train.images, data.test.images, cache_dir),
        on_epoch=lambda epoch, metrics: epochs.append(epoch),
    )
    assert epochs == list(range(1, result.history.epochs + 1))
    return spec, result


@pytest.fixture(scope="module")
def cold(data, cache_dir, weights) -> tuple[ModelSpec, TrainResult]:
    """Trained while the cache was empty."""
    return train(data, cache_dir, weights)


def test_the_model_predicts_what_its_head_predicts_from_features(cold, data) -> None:
    _, result = cold
    assert np.ptp(result.test_probabilities, axis=0).max() > 0.3  # predictions are not constant
    probabilities = result.model.predict(data.test.images, verbose=0)
    assert np.abs(probabilities - result.test_probabilities).max() <= 1e-4
    assert result.tags == {names.TAG_FEATURE_CACHE: "miss"}
    assert result.metrics[names.FEATURE_SECONDS] > 0
    predicted = result.model.predict(data.train.images[VALIDATION_ROWS], verbose=0).argmax(axis=1)
    accuracy = (predicted == data.train.labels[VALIDATION_ROWS]).mean()
    best = result.history.rows[result.history.best_epoch - 1]
    assert accuracy == pytest.approx(best[names.VAL_ACCURACY])


def test_cached_features_give_the_same_bits(cold, data, cache_dir, weights) -> None:
    _, warm = train(data, cache_dir, weights)
    assert warm.tags == {names.TAG_FEATURE_CACHE: "hit"}
    assert rows_without_times(warm.history) == rows_without_times(cold[1].history)
    np.testing.assert_array_equal(warm.test_probabilities, cold[1].test_probabilities)


def test_each_configuration_has_its_own_cache_entry(cold, data, cache_dir) -> None:
    images = data.test.images[:20]
    for changes in ({}, {"split_seed": 1}, {"input_scaling": "unit"}):
        transfer = create_spec(create_options("none", **changes)).transfer
        assert extract_features(transfer, images, cache_dir).status == "miss"
    assert extract_features(transfer, images[:19], cache_dir).status == "miss"
    assert extract_features(transfer, images[:19], cache_dir).status == "hit"


def test_features_of_other_preprocessing_are_recomputed(data, cache_dir, cold, capfd) -> None:
    """An entry with valid checksums under the right key, but with wrong values."""
    transfer = cold[0].transfer
    expected = extract_features(transfer, data.test.images, cache_dir)
    folders = [path for path in cache_dir.iterdir() if path.is_dir()]
    [entry] = [e for e in folders if np.array_equal(np.load(e / DATA), expected.array)]
    wrong = np.asarray(expected.array) * 1.5
    key_fields = json.loads((entry / METADATA).read_text())["made_of"]
    for path in entry.iterdir():
        path.unlink()
    entry.rmdir()
    load_or_compute(cache_dir, key_fields, wrong.shape, lambda slices: (wrong[s] for s in slices))
    again = extract_features(transfer, data.test.images, cache_dir)
    assert again.status == "repaired"
    assert "differs from what this code computes" in capfd.readouterr().out
    np.testing.assert_array_equal(again.array, expected.array)


def test_a_model_that_differs_from_its_head_fails(
    cold, data, cache_dir, weights, monkeypatch
) -> None:
    predict = train_module.predict

    def predict_wrongly(model: keras.Model, images: np.ndarray) -> tuple[np.ndarray, float]:
        probabilities, milliseconds = predict(model, images)
        return np.roll(probabilities, 1, axis=1), milliseconds

    monkeypatch.setattr(train_module, "predict", predict_wrongly)
    with pytest.raises(WorkFailed, match="differs from its head"):
        train(data, cache_dir, weights, epochs=1)


@pytest.mark.slow
def test_fine_tuning_starts_from_the_trained_head(cold, data, cache_dir, weights) -> None:
    spec, result = train(data, cache_dir, weights, unfreeze_blocks=1, keep="last", epochs=2)
    assert result.history.epochs == 4
    rates = result.history.column(names.LEARNING_RATE)
    assert rates == pytest.approx([1e-3, 1e-3, 1e-5, 1e-5])
    frozen = create_spec(create_options(weights)).transfer.extractor.layers[-2]
    tuned = spec.transfer.extractor.layers[-2]
    changed = {
        after.path
        for before, after in zip(frozen.weights, tuned.weights, strict=True)
        if not np.array_equal(before.numpy(), after.numpy())
    }
    assert any("Conv_1" in path for path in changed)
    assert not any("block_12" in path or "moving" in path for path in changed)
    np.testing.assert_array_equal(
        result.test_probabilities,
        result.model.predict(data.test.images, batch_size=1000, verbose=0),
    )


@pytest.mark.slow
def test_fine_tuning_that_is_worse_is_undone(data, cache_dir, weights, monkeypatch) -> None:
    """With fits that only move the weights, and validation losses 1 (head) and 2 (fine-tuning)."""
    losses: list[float] = []

    def move_weights(model: keras.Model, *examples, on_epoch, **settings) -> History:
        losses.append(len(losses) + 1)
        model.set_weights([weight + 0.1 for weight in model.get_weights()])
        row = {names.VAL_LOSS: losses[-1]}
        on_epoch(1, row)
        return History((row,))

    monkeypatch.setattr(train_module, "fit", move_weights)
    _, head_only = train(data, cache_dir, weights)
    _, result = train(data, cache_dir, weights, unfreeze_blocks=1)
    assert result.history.column(names.VAL_LOSS) == (2, 3)
    np.testing.assert_allclose(result.test_probabilities, head_only.test_probabilities, atol=1e-4)
