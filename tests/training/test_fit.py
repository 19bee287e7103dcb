"""A fit is a function of its arguments, and each of its shortcuts changes nothing."""

import keras
import numpy as np
import pytest

from fmnist import names
from fmnist.data import dataset
from fmnist.data.dataset import Split
from fmnist.errors import WorkFailed
from fmnist.models.lenet5 import lenet5
from fmnist.options.recipe import RECIPES, Recipe
from fmnist.results.training import Evaluation, History
from fmnist.training import input_pipeline
from fmnist.training.data_parallel import MicrobatchModel
from fmnist.training.fit import fit
from fmnist.training.predict import flip_metrics, predict

CLOCKS = {names.EPOCH_SECONDS, names.IMAGES_PER_SECOND}


@pytest.fixture(scope="module")
def data(small_data_dir) -> dataset.FashionMNIST:
    return dataset.load(str(small_data_dir), "auto")


def fitted(data: dataset.FashionMNIST, **changes) -> tuple[keras.Model, History]:
    settings = {
        "epochs": 3,
        "batch_size": 50,
        "learning_rate": 0.003,
        "seed": 0,
        "keep": "last",
        "on_epoch": lambda epoch, metrics: None,
        "dropout": 0.4,
    } | changes
    model = lenet5(settings.pop("dropout"), seed=1)
    validation = settings.pop("validation", data.test)
    return model, fit(model, settings.pop("train", data.train), validation, **settings)


def without_clocks(history: History) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k not in CLOCKS} for row in history.rows]


def test_the_same_seed_gives_the_same_fit(data) -> None:
    (first, history), (second, again) = fitted(data), fitted(data)
    assert without_clocks(history) == without_clocks(again)
    assert all(map(np.array_equal, first.get_weights(), second.get_weights()))


def test_the_same_seed_gives_the_same_fit_with_every_technique(data) -> None:
    every = Recipe("on", "on", 2, 0.5, 0.4, "sgd", 0.01, "cosine", 0.1, 0.1, 0.9, 9)
    (first, history), (second, again) = (fitted(data, techniques=every) for _ in range(2))
    assert without_clocks(history) == without_clocks(again)
    assert all(map(np.array_equal, first.get_weights(), second.get_weights()))
    assert without_clocks(fitted(data, techniques=every, seed=1)[1]) != without_clocks(history)


def test_the_reports_fit_is_plain_adam_on_plain_rows(data) -> None:
    """Against steps taken one by one, to the last bit: no technique is there unasked."""
    model, _ = fitted(data, epochs=2, dropout=0.0)
    other = lenet5(0.0, seed=1)
    stepper = MicrobatchModel(other.input, other.output)
    stepper.compile(keras.optimizers.Adam(0.003), "categorical_crossentropy", jit_compile=False)
    for epoch in range(2):
        order = input_pipeline.order_of_epoch(600, 0, epoch)
        for start in range(0, 600, 50):
            rows = order[start : start + 50]
            one_hot = np.eye(10, dtype=np.float32)[data.train.labels[rows]]
            stepper.train_on_batch(data.train.images[rows], one_hot)
    assert all(map(np.array_equal, model.get_weights(), other.get_weights()))


def test_augmentation_is_for_training_rows_alone(data) -> None:
    """At a rate that changes nothing, validation rows are answered as ever, fitted ones worse."""
    technique = Recipe(flip="on", translate=4, random_erasing=1.0, mixup=0.5, label_smoothing=0.3)
    model, learned = fitted(data, dropout=0.0, epochs=6)
    for techniques in (Recipe(), technique):
        again = fit(
            model, data.train, data.test, seed=0, keep="last", batch_size=50, epochs=1,
            learning_rate=1e-12, on_epoch=lambda epoch, metrics: None, techniques=techniques,
        )  # fmt: skip
        wanted = learned.column(names.VAL_LOSS)[-1]
        assert again.column(names.VAL_LOSS) == pytest.approx((wanted,), rel=1e-4)
        worse = again.column(names.TRAIN_LOSS)[0] > 2 * wanted
        assert worse == (techniques is technique)


def test_augmentation_differs_between_epochs_and_seeds(data) -> None:
    """One image, learning rate too small to matter: only its moves can change the loss."""
    one = Split(np.repeat(data.train.images[:1], 4, 0), np.repeat(data.train.labels[:1], 4))
    calm = {"train": one, "validation": None, "learning_rate": 1e-12, "batch_size": 4}
    moved = calm | {"dropout": 0.0, "techniques": Recipe(translate=4)}
    losses = [fitted(data, seed=seed, **moved)[1].column(names.TRAIN_LOSS) for seed in (0, 1)]
    assert len({*losses[0], *losses[1]}) == 6


def test_a_fit_that_gets_no_better_ends(data) -> None:
    """Seen after two epochs; the weights kept are still the best ones."""
    settings = {"epochs": 40, "learning_rate": 0.02, "dropout": 0.0, "keep": "best"}
    _, history = fitted(data, techniques=Recipe(patience=2), **settings)
    assert history.epochs == history.best_epoch + 2 < 40


def test_averaged_weights_are_validated_and_kept(data) -> None:
    """Against the mean worked out step by step, of epochs of one step each."""
    rows = data.train.take(np.arange(100))
    settings = {"train": rows, "batch_size": 100, "dropout": 0.0, "learning_rate": 0.003}
    raw = [fitted(data, epochs=n, **settings)[0].get_weights() for n in (1, 2, 3)]
    mean = lenet5(0.0, seed=1).get_weights()
    for step, weights in enumerate(raw, start=1):
        keep = min(0.25, (1 + step) / (10 + step))
        mean = [keep * m + (1 - keep) * w for m, w in zip(mean, weights, strict=True)]
    averaged = fitted(data, epochs=3, techniques=Recipe(ema=0.25), **settings)
    for got, wanted in zip(averaged[0].get_weights(), mean, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    probabilities, _ = predict(averaged[0], data.test.images)
    accuracy = (probabilities.argmax(axis=1) == data.test.labels).mean()
    assert accuracy == pytest.approx(averaged[1].column(names.VAL_ACCURACY)[-1])
    assert averaged[1].column(names.TRAIN_LOSS) == pytest.approx(
        fitted(data, epochs=3, **settings)[1].column(names.TRAIN_LOSS), rel=1e-5
    )


def test_the_rate_that_is_logged_is_the_schedules(data) -> None:
    """600 rows in batches of 50, twice: half of the straight way down, then all of it."""
    techniques = Recipe(schedule="onecycle")
    _, history = fitted(data, epochs=2, techniques=techniques, learning_rate=0.004)
    assert history.column(names.LEARNING_RATE) == pytest.approx((0.002, 0.0), abs=1e-8)


def test_the_strong_recipe_learns(data) -> None:
    _, history = fitted(data, epochs=12, techniques=RECIPES["strong"], dropout=0.0)
    assert history.column(names.VAL_ACCURACY)[-1] > 0.9


def test_another_seed_gives_another(data) -> None:
    assert without_clocks(fitted(data)[1]) != without_clocks(fitted(data, seed=1)[1])


def test_it_learns(data) -> None:
    model, history = fitted(data, epochs=12, dropout=0.0)
    probabilities, milliseconds = predict(model, data.test.images)
    accuracy = (probabilities.argmax(axis=1) == data.test.labels).mean()
    assert accuracy > 0.9
    assert accuracy == pytest.approx(history.column(names.VAL_ACCURACY)[-1])
    assert milliseconds > 0


def test_two_views_are_an_image_and_its_mirror_image(data) -> None:
    model, _ = fitted(data, epochs=6, dropout=0.0)
    mirrored = Split(data.test.images[:, :, ::-1].copy(), data.test.labels)
    views = [model.predict(split.images, verbose=0) for split in (data.test, mirrored)]
    accuracy = ((views[0] + views[1]).argmax(axis=1) == data.test.labels).mean()
    plain = Evaluation(data.test.labels.astype(np.int64), views[0])
    told = flip_metrics(model, data.test, plain)
    assert told == {names.TEST_ACCURACY_FLIP: pytest.approx(accuracy)}
    assert told[names.TEST_ACCURACY_FLIP] != (plain.predicted == plain.labels).mean()


def test_every_epoch_is_told_as_it_ends(data) -> None:
    told = []
    _, history = fitted(data, on_epoch=lambda epoch, metrics: told.append((epoch, dict(metrics))))
    assert told == [(i, dict(row)) for i, row in enumerate(history.rows, start=1)]


def test_each_epoch_has_an_order_of_its_own() -> None:
    orders = [
        input_pipeline.order_of_epoch(1000, seed, epoch) for seed in (0, 1) for epoch in range(5)
    ]
    assert all(np.array_equal(np.sort(order), np.arange(1000)) for order in orders)
    assert len({order.tobytes() for order in orders}) == 10


@pytest.mark.parametrize(("rows", "sizes"), [(600, [128] * 4 + [88]), (257, [128, 129]), (2, [2])])
def test_a_pass_holds_each_row_once(data, rows: int, sizes: list[int]) -> None:
    import tensorflow as tf

    order = tf.Variable(input_pipeline.order_of_epoch(rows, 0, 0))
    split = data.train.take(np.arange(rows))
    parts = list(input_pipeline.in_order(split, 128, order).as_numpy_iterator())
    assert [len(labels) for _, labels in parts] == sizes
    np.testing.assert_array_equal(
        np.concatenate([images for images, _ in parts]), split.images[order.numpy()]
    )
    np.testing.assert_array_equal(
        np.concatenate([labels for _, labels in parts]).argmax(axis=1), split.labels[order.numpy()]
    )


@pytest.mark.parametrize("rows", [2, 7, 64])
def test_two_halves_make_one_whole_step(data, rows: int) -> None:
    """Against Keras's own training step, on the same rows from the same weights."""
    images = data.train.images[:rows]
    labels = np.eye(10, dtype=np.float32)[data.train.labels[:rows]]
    results = []
    for kind in (MicrobatchModel, keras.Model):
        model = lenet5(0.0, seed=3)
        trainer = kind(model.input, model.output)
        optimizer = keras.optimizers.SGD(0.1)
        trainer.compile(
            optimizer, "categorical_crossentropy", metrics=["accuracy"], jit_compile=False
        )
        told = trainer.train_on_batch(images, labels, return_dict=True)
        results.append((told, model.get_weights()))
    (ours, our_weights), (theirs, their_weights) = results
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
    assert ours["accuracy"] == pytest.approx(theirs["accuracy"])
    for mine, wanted in zip(our_weights, their_weights, strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-6)


def test_the_best_weights_are_those_of_the_lowest_validation_loss(data) -> None:
    best, history = fitted(data, epochs=6, keep="best", learning_rate=0.02, dropout=0.0)
    assert history.best_epoch < 6, "the last epoch must not be the best for this test to tell"
    shorter, _ = fitted(
        data, epochs=history.best_epoch, keep="last", learning_rate=0.02, dropout=0.0
    )
    assert all(map(np.array_equal, best.get_weights(), shorter.get_weights()))


def test_a_fit_without_validation_rows(data) -> None:
    _, history = fitted(data, validation=None, epochs=2)
    assert names.VAL_LOSS not in history.metrics
    assert history.best_epoch == 2


def test_a_loss_that_is_no_number_ends_the_fit(data) -> None:
    with pytest.raises(WorkFailed, match=r"loss became (nan|inf) in epoch 1; try a smaller"):
        fitted(data, learning_rate=1e30)


def test_dropout_masks_differ_between_epochs_and_seeds(data) -> None:
    """One row, learning rate too small to matter: only the masks can change the loss."""
    one_class = Split(np.repeat(data.train.images[:1], 4, 0), np.repeat(data.train.labels[:1], 4))
    calm = {"train": one_class, "validation": None, "learning_rate": 1e-12, "batch_size": 4}
    losses = [fitted(data, seed=seed, **calm)[1].column(names.TRAIN_LOSS) for seed in (0, 1)]
    assert len({*losses[0], *losses[1]}) == 6
