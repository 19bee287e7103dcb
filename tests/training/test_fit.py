"""A fit is a function of its arguments, and none of its optimizations changes the result."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.utils.class_weight import compute_class_weight

from fmnist import names
from fmnist.data.dataset import Split
from fmnist.errors import WorkFailed
from fmnist.models.lenet5 import lenet5
from fmnist.options import Train
from fmnist.results.training import Evaluation, History
from fmnist.training.callbacks import format_epoch
from fmnist.training.data_parallel import MicrobatchModel
from fmnist.training.fit import fit
from fmnist.training.input_pipeline import balanced_class_weights, epoch_order, training_batches
from fmnist.training.train import flip_metrics, predict
from tests.helpers.histories import join_splits, rows_without_times

EVERY_TECHNIQUE = {
    "flip": "on", "translate": 2, "random_erasing": 0.5, "mixup": 0.4, "optimizer": "sgd",
    "weight_decay": 0.01, "schedule": "cosine", "warmup": 0.1, "label_smoothing": 0.1, "ema": 0.9,
    "patience": 9,
}  # fmt: skip
# Too small to change the loss.
NO_LEARNING = 1e-12


def fit_lenet5(
    data, *, train=None, validation=True, on_epoch=lambda *_: None, model=None, **changes
) -> tuple[keras.Model, History]:
    settings = {"epochs": 3, "batch_size": 50, "learning_rate": 0.003, "keep": "last"}
    options = Train(**settings | {"dropout": 0.4} | changes)
    model = model or lenet5(options.dropout, seed=1)
    inputs, splits = join_splits(train or data.train, data.test if validation else None)
    history = fit(model, inputs, splits, options, on_epoch=on_epoch)
    return model, history


def equal_weights(one: keras.Model, other: keras.Model) -> bool:
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


@pytest.mark.parametrize("options", [{}, EVERY_TECHNIQUE], ids=["plain", "every technique"])
def test_the_seed_determines_the_fit(data, options: dict) -> None:
    (first, history), (second, again), (_, other) = (
        fit_lenet5(data, epochs=2, seed=seed, **options) for seed in (0, 0, 1)
    )
    assert rows_without_times(history) == rows_without_times(again) != rows_without_times(other)
    assert equal_weights(first, second)


def test_without_techniques_a_fit_is_plain_adam(data) -> None:
    """Bit-identical to steps taken one by one."""
    model, _ = fit_lenet5(data, epochs=2, dropout=0.0)
    other = lenet5(0.0, seed=1)
    trainer = MicrobatchModel(other.input, other.output)
    trainer.compile(keras.optimizers.Adam(0.003), "categorical_crossentropy", jit_compile=False)
    for epoch in range(2):
        order = epoch_order(600, 0, epoch)
        for start in range(0, 600, 50):
            rows = order[start : start + 50]
            one_hot = np.eye(10, dtype=np.float32)[data.train.labels[rows]]
            trainer.train_on_batch(data.train.images[rows], one_hot)
    assert equal_weights(model, other)


@pytest.mark.slow
def test_validation_rows_are_not_augmented(data) -> None:
    model, history = fit_lenet5(data, dropout=0.0, epochs=6)
    val_loss = history.column(names.VAL_LOSS)[-1]
    augmented = {"flip": "on", "translate": 4, "random_erasing": 1.0, "label_smoothing": 0.3}
    for options in ({}, augmented):
        again = fit_lenet5(data, model=model, epochs=1, learning_rate=NO_LEARNING, **options)[1]
        assert again.column(names.VAL_LOSS) == pytest.approx((val_loss,), rel=1e-4)
        assert (again.column(names.TRAIN_LOSS)[0] > 2 * val_loss) == (options is augmented)


@pytest.mark.parametrize("options", [{"dropout": 0.4}, {"dropout": 0.0, "translate": 4}])
def test_dropout_and_augmentation_differ_between_epochs_and_seeds(data, options: dict) -> None:
    one = Split(np.repeat(data.train.images[:1], 4, 0), np.repeat(data.train.labels[:1], 4))
    losses = set()
    for seed in (0, 1):
        _, history = fit_lenet5(
            data, train=one, validation=False, seed=seed, learning_rate=NO_LEARNING,
            batch_size=4, **options,
        )  # fmt: skip
        losses |= set(history.column(names.TRAIN_LOSS))
        assert names.VAL_LOSS not in history.metrics
    assert len(losses) == 6


@pytest.mark.slow
def test_early_stopping_keeps_the_best_weights(data) -> None:
    settings = {"learning_rate": 0.02, "dropout": 0.0}
    best, history = fit_lenet5(data, patience=2, epochs=40, keep="best", **settings)
    assert history.epochs == history.best_epoch + 2 < 40
    shorter, _ = fit_lenet5(data, epochs=history.best_epoch, keep="last", **settings)
    assert equal_weights(best, shorter)


@pytest.mark.slow
def test_averaged_weights_are_validated_and_kept(data) -> None:
    """Against averages computed here, of epochs of one step each."""
    settings = {"train": data.train.take(np.arange(100)), "batch_size": 100, "dropout": 0.0}
    by_epoch = [fit_lenet5(data, epochs=n, **settings)[0].get_weights() for n in (1, 2, 3)]
    averages = lenet5(0.0, seed=1).get_weights()
    for step, weights in enumerate(by_epoch, start=1):
        decay = min(0.25, (1 + step) / (10 + step))
        averages = [decay * a + (1 - decay) * w for a, w in zip(averages, weights, strict=True)]
    model, history = fit_lenet5(data, ema=0.25, **settings)
    for weight, expected in zip(model.get_weights(), averages, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)
    probabilities, _ = predict(model, data.test.images)
    accuracy = (probabilities.argmax(axis=1) == data.test.labels).mean()
    assert accuracy == pytest.approx(history.column(names.VAL_ACCURACY)[-1])


def test_the_learning_rate_of_the_schedule_is_logged(data) -> None:
    _, history = fit_lenet5(data, epochs=2, schedule="onecycle", learning_rate=0.004)
    assert history.column(names.LEARNING_RATE) == pytest.approx((0.002, 0.0), abs=1e-8)


@pytest.mark.parametrize("recipe", ["report", "strong"])
def test_a_recipe_learns(data, recipe: str) -> None:
    logged = []
    model, history = fit_lenet5(
        data, epochs=12, dropout=0.0, recipe=recipe, normalize="off",
        on_epoch=lambda epoch, metrics: logged.append((epoch, dict(metrics))),
    )  # fmt: skip
    assert logged == [(epoch, dict(row)) for epoch, row in enumerate(history.rows, start=1)]
    probabilities, milliseconds = predict(model, data.test.images)
    accuracy = (probabilities.argmax(axis=1) == data.test.labels).mean()
    assert accuracy > 0.9
    assert accuracy == pytest.approx(history.column(names.VAL_ACCURACY)[-1])
    assert milliseconds > 0


def test_tta_flip_averages_an_image_and_its_mirror_image(data) -> None:
    model = lenet5(0.0, seed=1)
    images = data.test.images
    plain, mirrored = (model.predict(x, verbose=0) for x in (images, images[:, :, ::-1].copy()))
    accuracy = ((plain + mirrored).argmax(axis=1) == data.test.labels).mean()
    evaluation = Evaluation(data.test.labels.astype(np.int64), plain)
    metrics = flip_metrics(model, data.test, evaluation)
    assert metrics == {names.TEST_ACCURACY_FLIP: pytest.approx(accuracy)}
    assert accuracy != (evaluation.predicted == evaluation.labels).mean()


def test_each_epoch_and_seed_has_its_own_order() -> None:
    orders = [epoch_order(1000, seed, epoch) for seed in (0, 1) for epoch in range(5)]
    assert all(np.array_equal(np.sort(order), np.arange(1000)) for order in orders)
    assert len({order.tobytes() for order in orders}) == 10


@pytest.mark.parametrize(("rows", "sizes"), [(600, [128] * 4 + [88]), (257, [128, 129]), (2, [2])])
def test_an_epoch_contains_each_row_once(data, rows: int, sizes: list[int]) -> None:
    order = epoch_order(rows, 0, 0)
    split = data.train.take(np.arange(rows))
    batches = training_batches(*join_splits(split, None), 128, tf.Variable(order))
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    assert [len(batch) for batch in images] == sizes
    np.testing.assert_array_equal(np.concatenate(images), split.images[order])
    np.testing.assert_array_equal(np.concatenate(labels).argmax(axis=1), split.labels[order])


def test_gpu_computes_whole_batches_with_compilation_chosen_by_keras(data, monkeypatch) -> None:
    """The result is that of half batches except for the order of additions."""
    options = {"epochs": 1, "dropout": 0.0}
    on_cpu, _ = fit_lenet5(data, **options)
    compiled: list[object] = []
    compile_ = MicrobatchModel.compile

    def record_compilation(self, *args, **settings) -> None:
        compiled.append((self.splits_batches, settings["jit_compile"]))
        compile_(self, *args, **settings)

    monkeypatch.setattr(MicrobatchModel, "compile", record_compilation)
    real = tf.config.list_physical_devices
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind=None: ["gpu"] if kind == "GPU" else real()
    )
    on_gpu, _ = fit_lenet5(data, **options)
    assert compiled == [(False, "auto")]
    assert not equal_weights(on_gpu, on_cpu)
    for weights, others in zip(on_gpu.get_weights(), on_cpu.get_weights(), strict=True):
        np.testing.assert_allclose(weights, others, atol=1e-3)


@pytest.mark.parametrize(("rows", "weighted"), [(2, False), (7, True), (64, False)])
def test_two_half_batches_equal_one_step_of_keras(data, rows: int, weighted: bool) -> None:
    images = data.train.images[:rows]
    labels = np.eye(10, dtype=np.float32)[data.train.labels[:rows]]
    results = []
    for kind in (MicrobatchModel, keras.Model):
        model = lenet5(0.0, seed=3)
        trainer = kind(model.input, model.output)
        trainer.compile(
            keras.optimizers.SGD(0.1), "categorical_crossentropy", metrics=["accuracy"],
            jit_compile=False,
        )  # fmt: skip
        weights = np.linspace(0.5, 3, rows, dtype=np.float32) if weighted else None
        results.append((trainer.train_on_batch(images, labels, weights, return_dict=True), model))
    (ours, our_model), (theirs, their_model) = results
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
    assert ours["accuracy"] == pytest.approx(theirs["accuracy"])
    for weight, expected in zip(our_model.get_weights(), their_model.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)


def test_balanced_class_weights_are_those_of_scikit_learn(data) -> None:
    rare = np.flatnonzero(data.train.labels == 3)[:50]
    train = data.train.take(np.setdiff1d(np.arange(600), rare))
    weights = balanced_class_weights(train.labels, 10)
    expected = compute_class_weight("balanced", classes=np.arange(10), y=train.labels)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert balanced_class_weights(np.array([0, 0, 2], np.uint8), 4).tolist() == [
        0.75, 0, 1.5, 0,
    ]  # fmt: skip
    one = fit_lenet5(data, train=train, epochs=1)[1]
    other = fit_lenet5(data, train=train, epochs=1, class_weight="balanced")[1]
    assert rows_without_times(one) != rows_without_times(other)


def test_a_loss_that_is_not_finite_fails(data) -> None:
    model = lenet5(0.0, seed=1)
    model.set_weights([weight * np.nan for weight in model.get_weights()])
    with pytest.raises(WorkFailed, match=r"loss became (nan|inf) in epoch 1; .*learning_rate"):
        fit_lenet5(data, model=model)


def test_line_of_an_epoch_fits_into_80_columns() -> None:
    row = {
        names.TRAIN_LOSS: 98.7654, names.TRAIN_ACCURACY: 0.123456, names.VAL_LOSS: 1234.5,
        names.VAL_ACCURACY: 1.0, names.EPOCH_SECONDS: 1234.5678,
    }  # fmt: skip
    line = format_epoch(1000, 1000, row)
    assert len(line) < 80
    assert "loss 98.76, accuracy 0.1235  validation 1e+03, 1.0000  1235 s" in line
