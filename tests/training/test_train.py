"""A frozen backbone's way of training gives what the plain way would, from the cache or not."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from fmnist import names
from fmnist.data import dataset
from fmnist.errors import WorkFailed
from fmnist.models import factory
from fmnist.models.factory import ModelSpec
from fmnist.options import Train
from fmnist.results.training import History
from fmnist.training import train as trained
from fmnist.training.features import extraction, store
from fmnist.training.features.entry import ABOUT, DATA
from fmnist.training.features.frozen import frozen
from fmnist.training.features.store import folder_of
from fmnist.training.train import DataSplits, TrainResult, train_model

CLOCKS = {names.EPOCH_SECONDS, names.IMAGES_PER_SECOND}
FIT, HELD_OUT = np.arange(0, 250), np.arange(250, 300)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(str(tmp_path_factory.mktemp("cache")))


def options(weights: str, **changes) -> Train:
    settings = {"model": "mobilenetv2", "weights": weights, "epochs": 3, "dropout": 0.3}
    return Train(**settings | changes)


def run(
    data: dataset.FashionMNIST, cache: Path | None, weights: str, **changes
) -> tuple[ModelSpec, TrainResult]:
    asked = options(weights, **changes)
    spec = factory.spec(asked)
    division = DataSplits(data.train, FIT, HELD_OUT, data.test.images)
    told: list[int] = []
    done = train_model(
        spec,
        division,
        asked,
        features=frozen(spec, data.train.images, data.test.images, cache),
        on_epoch=lambda epoch, metrics: told.append(epoch),
    )
    assert told == list(range(1, done.history.epochs + 1))
    return spec, done


def without_clocks(history: History) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k not in CLOCKS} for row in history.rows]


@pytest.fixture(scope="module")
def cold(data, cache, weights) -> tuple[ModelSpec, TrainResult]:
    return run(data, cache, weights)


def test_the_whole_model_answers_as_the_head_does_on_the_features(cold, data) -> None:
    assert np.ptp(cold[1].probabilities, axis=0).max() > 0.3  # no two images are answered alike
    whole = cold[1].model.predict(data.test.images, verbose=0)
    assert np.abs(whole - cold[1].probabilities).max() <= 1e-4
    assert cold[1].tags == {names.TAG_FEATURE_CACHE: "miss"}
    assert cold[1].metrics[names.FEATURE_SECONDS] > 0


def test_a_warm_cache_gives_the_same_bits(cold, data, cache, weights) -> None:
    _, warm = run(data, cache, weights)
    assert warm.tags == {names.TAG_FEATURE_CACHE: "hit"}
    assert without_clocks(warm.history) == without_clocks(cold[1].history)
    np.testing.assert_array_equal(warm.probabilities, cold[1].probabilities)


def test_features_are_what_keras_predicts(cold, data, cache) -> None:
    parts = cold[0].transfer
    found = extraction.features(parts, data.train.images, cache)
    assert found.status == "hit"
    wanted = parts.extractor.predict(data.train.images, verbose=0)
    np.testing.assert_allclose(found.array, wanted, rtol=1e-4, atol=1e-5)


def test_the_history_is_that_of_the_whole_model(cold, data) -> None:
    _, done = cold
    right = done.model.predict(data.train.images[HELD_OUT], verbose=0).argmax(axis=1)
    accuracy = (right == data.train.labels[HELD_OUT]).mean()
    kept = done.history.rows[done.history.best_epoch - 1]
    assert accuracy == pytest.approx(kept[names.VAL_ACCURACY])


def test_other_weights_are_never_served_from_the_cache(cold, data, cache) -> None:
    parts = factory.spec(options("none")).transfer
    assert extraction.features(parts, data.test.images[:20], cache).status == "miss"
    parts = factory.spec(options("none", seed=1)).transfer
    assert extraction.features(parts, data.test.images[:20], cache).status == "miss"
    parts = factory.spec(options("none", input_scaling="unit")).transfer
    assert extraction.features(parts, data.test.images[:20], cache).status == "miss"
    assert extraction.features(parts, data.test.images[:21], cache).status == "miss"
    assert extraction.features(parts, data.test.images[:21], cache).status == "hit"


def test_a_cache_that_code_no_longer_makes_is_noticed(data, cache, cold, capfd) -> None:
    """Features of other preprocessing under the right name, checksums and all."""
    parts = cold[0].transfer
    right = extraction.features(parts, data.test.images, cache)
    made = [e for e in cache.iterdir() if e.is_dir()]
    [entry] = [e for e in made if np.array_equal(np.load(e / DATA), right.array)]
    wrong = np.asarray(right.array) * 1.5
    about = json.loads((entry / ABOUT).read_text())
    for path in entry.iterdir():
        path.unlink()
    entry.rmdir()
    store.cached(cache, about["made_of"], wrong.shape, lambda slices: (wrong[s] for s in slices))
    again = extraction.features(parts, data.test.images, cache)
    assert again.status == "repaired"
    assert "not what this code computes" in capfd.readouterr().out
    np.testing.assert_array_equal(again.array, right.array)


def test_a_whole_model_that_answers_differently_is_a_failure(
    cold, data, cache, weights, monkeypatch
) -> None:
    honest = trained.predict

    def lying(model: keras.Model, images: np.ndarray) -> tuple[np.ndarray, float]:
        answers, milliseconds = honest(model, images)
        return np.roll(answers, 1, axis=1), milliseconds

    monkeypatch.setattr(trained, "predict", lying)
    with pytest.raises(WorkFailed, match="the whole model differs from its head on the features"):
        run(data, cache, weights, epochs=1)


def test_fine_tuning_goes_on_from_the_head(cold, data, cache, weights) -> None:
    spec, done = run(data, cache, weights, unfreeze_blocks=1, keep="last", epochs=2)
    assert done.history.epochs == 4
    assert done.history.column(names.LEARNING_RATE) == pytest.approx([1e-3, 1e-3, 1e-5, 1e-5])
    frozen = factory.spec(options(weights)).transfer.extractor.layers[-2]
    tuned = spec.transfer.extractor.layers[-2]
    changed = {
        after.path
        for before, after in zip(frozen.weights, tuned.weights, strict=True)
        if not np.array_equal(before.numpy(), after.numpy())
    }
    assert any("Conv_1" in path for path in changed)
    assert not any("block_12" in path or "moving" in path for path in changed)
    np.testing.assert_array_equal(
        done.probabilities, done.model.predict(data.test.images, batch_size=1000, verbose=0)
    )


def test_fine_tuning_that_makes_it_worse_is_undone(data, cache, weights, monkeypatch) -> None:
    """Fits that only move the weights: the head's ends with loss 1, the fine-tuning with 2."""
    fits: list[keras.Model] = []

    def moving(model: keras.Model, *rows, on_epoch, **settings) -> History:
        fits.append(model)
        model.set_weights([weight + 0.1 for weight in model.get_weights()])
        row = {names.VAL_LOSS: float(len(fits))}
        on_epoch(1, row)
        return History((row,))

    monkeypatch.setattr(trained, "fit", moving)
    _, before = run(data, cache, weights)
    _, done = run(data, cache, weights, unfreeze_blocks=1)
    head_alone, head, tuned = fits
    assert (len(head.weights), tuned) == (4, done.model)
    assert done.history.column(names.VAL_LOSS) == (2, 3)
    np.testing.assert_allclose(done.probabilities, before.probabilities, atol=1e-4)
    assert len(head_alone.weights) == 4


def test_without_a_backbone_there_is_no_cache(data, tmp_path: Path) -> None:
    _, done = run(data, None, "imagenet", model="lenet5", epochs=1)
    assert (done.tags, names.FEATURE_SECONDS in done.metrics) == ({}, False)
    assert done.model.name == "lenet5"


def test_a_head_follows_a_recipe_as_far_as_it_concerns_features(data, cache, weights) -> None:
    """Its rate falls and its labels are mixed; nothing can be done to its images any more."""
    _, plain = run(data, cache, weights, keep="last")
    _, strong = run(data, cache, weights, keep="last", recipe="strong", mixup=0.5)
    rates = strong.history.column(names.LEARNING_RATE)
    assert rates[0] > rates[1] > rates[2] == pytest.approx(0.0, abs=1e-9)
    assert not np.allclose(plain.probabilities, strong.probabilities, atol=1e-3)
