"""A fold is trained as `train` would train the same rows."""

from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fmnist import names
from fmnist.crossval.executors import LocalExecutor, run_folds
from fmnist.crossval.folds import CrossvalInputs, split_folds, train_fold, with_features
from fmnist.crossval.processes import with_weights_digest
from fmnist.data import dataset, splits
from fmnist.data.dataset import Split
from fmnist.data.duplicates import select_training_rows
from fmnist.data.splits import Fold
from fmnist.models import factory
from fmnist.options import Crossval
from fmnist.results.training import FoldResult
from fmnist.training.input_pipeline import DataSplits
from fmnist.training.train import train_model
from tests.helpers.histories import rows_without_times

pytestmark = pytest.mark.usefixtures("tensorflow")
Folds = tuple[Fold, ...]


def inputs_for(options: Crossval, data: dataset.FashionMNIST) -> tuple[CrossvalInputs, Folds]:
    training = select_training_rows(options, data.train, data.test)
    spec = with_weights_digest(factory.create_spec(options))
    folds = split_folds(options, training.split.labels)
    return CrossvalInputs(options, spec, training, data.test), folds


@pytest.mark.slow
def test_folds_share_the_features_of_a_backbone(data, weights, tmp_path: Path) -> None:
    options = Crossval(
        model="mobilenetv2", weights=weights, dropout=0.3,
        train_size=300, folds=2, epochs=1, keep="last", cache_dir=str(tmp_path),
    )  # fmt: skip
    inputs, folds = inputs_for(options, data)
    inputs = with_features(inputs)
    assert inputs.features.tags == {names.TAG_FEATURE_CACHE: "miss"}
    assert isinstance(inputs.features.train.array, np.memmap)
    assert with_features(inputs).features.tags == {names.TAG_FEATURE_CACHE: "hit"}
    used, numbers = inputs.training.split, inputs.training.numbers
    with closing(LocalExecutor(partial(train_fold, inputs), 0)) as executor:
        results = {result.fold: result for result in run_folds(executor, folds)}
    for fold in folds:
        result = results[fold.fold]
        assert isinstance(result, FoldResult), result.traceback
        # The same for both seeds, which are 0.
        seed = int(np.random.SeedSequence([0, fold.repeat, fold.fold]).generate_state(1)[0])
        others = np.setdiff1d(np.arange(len(used)), fold.held_out)
        train, validation = splits.validation_split(used.labels[others], 0.1, seed)
        expected = train_model(
            factory.create_spec(options),
            DataSplits(used, others[train], others[validation], data.test.images),
            options.model_copy(update={"seed": seed}),
            features=inputs.features,
            on_epoch=lambda epoch, metrics: None,
        )
        assert rows_without_times(result.history) == rows_without_times(expected.history)
        np.testing.assert_array_equal(result.test.probabilities, expected.test_probabilities)
        assert result.rows.tolist() == numbers[fold.held_out].tolist()
        images, labels = data.train.images[result.rows], data.train.labels[result.rows]
        assert result.held_out.labels.tolist() == labels.tolist()
        predictions = expected.model.predict(images, verbose=0)
        assert np.ptp(predictions, axis=0).max() > 0.3  # predictions differ between images
        np.testing.assert_allclose(result.held_out.probabilities, predictions, atol=1e-4)
        assert result.peak_bytes > 200 << 20


@pytest.mark.slow
def test_digest_of_random_weights_does_not_change_the_model() -> None:
    """Fine-tuning one copy of a randomly initialized backbone leaves a new copy unchanged."""
    spec = factory.create_spec(Crossval(model="mobilenetv2", weights="none"))
    assert with_weights_digest(spec).transfer.known_digest == spec.transfer.weights_digest
    first = spec.transfer.extractor.weights[0]
    initial = first.numpy()
    first.assign_add(np.ones_like(initial))
    new = spec.copy().transfer.extractor.weights[0].numpy()
    np.testing.assert_array_equal(new, initial)


def test_dropped_duplicates_are_in_no_fold(data) -> None:
    """Row 5 repeats row 3 and is in no fold; rows keep their numbers in the file."""
    images, labels = data.train.images.copy(), data.train.labels.copy()
    images[5], labels[5] = images[3], labels[3]
    changed = replace(data, train=Split(images, labels))
    inputs, folds = inputs_for(Crossval(folds=3, drop_duplicates="on"), changed)
    held_out = inputs.training.numbers[np.concatenate([fold.held_out for fold in folds])]
    assert inputs.training.dropped[names.DROPPED_REPEATS] == 1
    assert len(held_out) == len(labels) - inputs.training.dropped[names.DROPPED_ROWS]
    assert 3 in held_out
    assert 5 not in held_out


@pytest.mark.slow
def test_a_fold_follows_the_recipe(data, tmp_path: Path) -> None:
    options = Crossval(recipe="strong", train_size=200, folds=2, epochs=2, cache_dir=str(tmp_path))
    inputs, [fold, _] = inputs_for(options, data)
    plain_options = options.model_copy(update={"optimizer": "adam", "schedule": "constant"})
    strong, plain = (
        train_fold(replace(inputs, options=each), fold) for each in (options, plain_options)
    )
    assert strong.history.column(names.LEARNING_RATE)[-1] == pytest.approx(0.0, abs=1e-9)
    assert plain.history.column(names.LEARNING_RATE) == pytest.approx((0.001, 0.001))
