"""A fold of a cross-validation is trained as `train` would train it on the same rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fmnist import names
from fmnist.crossval.backends import train_folds
from fmnist.crossval.features_subprocess import with_features, with_weights_digest
from fmnist.crossval.fold import CrossvalInputs, divide, seed_of, train_fold
from fmnist.data import dataset, splits
from fmnist.data.dataset import Split
from fmnist.models import factory
from fmnist.options import Crossval
from fmnist.results.training import FoldResult
from fmnist.training.train import DataSplits, train_model

CLOCKS = {names.EPOCH_SECONDS, names.IMAGES_PER_SECOND}


def material_of(options: Crossval, data: dataset.FashionMNIST) -> CrossvalInputs:
    divided = divide(options, data.train, data.test)
    return CrossvalInputs(options, with_weights_digest(factory.spec(options)), divided, data.test)


def test_features_of_a_backbone_are_computed_once(data, weights, tmp_path: Path) -> None:
    """And every fold maps them into memory."""
    options = Crossval(
        model="mobilenetv2", weights=weights, dropout=0.3,
        train_size=300, folds=2, epochs=1, keep="last", cache_dir=str(tmp_path),
    )  # fmt: skip
    material = with_features(material_of(options, data))
    assert material.features.tags == {names.TAG_FEATURE_CACHE: "miss"}
    assert isinstance(material.features.used.array, np.memmap)
    assert with_features(material).features.tags == {names.TAG_FEATURE_CACHE: "hit"}
    used, numbers = material.divided.used, material.divided.numbers
    results = {result.fold: result for result in train_folds(material, material.divided.folds)}
    for fold in material.divided.folds:
        result = results[fold.fold]
        assert isinstance(result, FoldResult), result.traceback
        seed = seed_of(options, fold)
        fit, choose = splits.validation_split(
            used.labels[fold.train], options.validation_fraction, seed
        )
        expected = train_model(
            factory.spec(options),
            DataSplits(used, fold.train[fit], fold.train[choose], data.test.images),
            options.model_copy(update={"seed": seed}),
            features=material.features,
            on_epoch=lambda epoch, metrics: None,
        )
        assert [{k: row[k] for k in row.keys() - CLOCKS} for row in result.history.rows] == [
            {k: row[k] for k in row.keys() - CLOCKS} for row in expected.history.rows
        ]
        np.testing.assert_array_equal(result.test.probabilities, expected.probabilities)
        assert result.rows.tolist() == numbers[fold.held_out].tolist()
        images, labels = data.train.images[result.rows], data.train.labels[result.rows]
        assert result.held_out.labels.tolist() == labels.tolist()
        answers = expected.model.predict(images, verbose=0)
        assert np.ptp(answers, axis=0).max() > 0.3  # no two images are answered alike
        np.testing.assert_allclose(result.held_out.probabilities, answers, atol=1e-4)
        assert result.peak_bytes > 200 << 20


def test_weights_that_keras_draws_are_weighed_elsewhere() -> None:
    """What fine-tuning makes of a network is not in the same network anew."""
    spec = factory.spec(Crossval(model="mobilenetv2", weights="none"))
    told = with_weights_digest(spec)
    assert told.transfer.digest == spec.transfer.weights_digest
    first = spec.transfer.extractor.weights[0]
    drawn = first.numpy()
    first.assign_add(np.ones_like(drawn))
    np.testing.assert_array_equal(factory.anew(spec).transfer.extractor.weights[0].numpy(), drawn)


def test_dropped_duplicates_are_in_no_fold(data) -> None:
    """Row 5 repeats row 3 and is in no fold; rows keep their numbers of the file."""
    images, labels = data.train.images.copy(), data.train.labels.copy()
    images[5], labels[5] = images[3], labels[3]
    options = Crossval(folds=3, drop_duplicates="on")
    divided = divide(options, Split(images, labels), data.test)
    held_out = divided.numbers[np.concatenate([fold.held_out for fold in divided.folds])]
    assert divided.dropped[names.DROPPED_REPEATS] == 1
    assert len(held_out) == len(labels) - divided.dropped[names.DROPPED_ROWS]
    assert 3 in held_out
    assert 5 not in held_out


def test_a_fold_follows_the_recipe(data, tmp_path: Path) -> None:
    options = Crossval(recipe="strong", train_size=200, folds=2, epochs=2, cache_dir=str(tmp_path))
    material = material_of(options, data)
    [fold, _] = material.divided.folds
    strong, plain = (
        train_fold(replace(material, options=asked), fold)
        for asked in (options, options.model_copy(update={"recipe": "report"}))
    )
    assert strong.history.column(names.LEARNING_RATE)[-1] == pytest.approx(0.0, abs=1e-9)
    assert plain.history.column(names.LEARNING_RATE) == pytest.approx((0.001, 0.001))
