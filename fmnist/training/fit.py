"""Fitting one model with `keras.Model.fit`, from memory and many steps per call."""

from pathlib import Path
from typing import Final

import keras
import tensorflow as tf

from fmnist.options.train import ModelOptions
from fmnist.results.training import History
from fmnist.system.progress import show_progress
from fmnist.training.augmentation import create_augmentation
from fmnist.training.callbacks import EpochMonitor, OnEpoch, ReseedEachEpoch
from fmnist.training.checkpoints import CheckpointCallback
from fmnist.training.data_parallel import MicrobatchModel
from fmnist.training.input_pipeline import (
    DataSplits,
    Inputs,
    balanced_class_weights,
    prediction_batches,
    steps_per_epoch,
    training_batches,
)
from fmnist.training.optimizers import WeightAverages, create_optimizer

# A call from Python takes about as long as a step of LeNet-5. Signals are handled between calls.
STEPS_PER_CALL: Final = 64


def fit(
    model: keras.Model,
    inputs: Inputs,
    splits: DataSplits,
    options: ModelOptions,
    *,
    on_epoch: OnEpoch,
    checkpoint_dir: Path | None = None,
    steps_per_call: int = STEPS_PER_CALL,
) -> History:
    """Fit the model to minimize the cross-entropy, and leave it with the weights to keep.

    The order of the rows, dropout masks and augmentation are functions of (seed, epoch): the same
    seed gives the same history and weights on the same machine.

    Args:
        inputs: images or features of `splits.data`.
        splits: the rows to fit and to select the best epoch with; the latter may be missing only
            with keep=last.
        on_epoch: called after each epoch with its number, starting at 1, and its metrics; for the
            epochs of a checkpoint, at the start.
        checkpoint_dir: where to store the state after each epoch. If there is a checkpoint, which
            must be of the same arguments, the fit resumes from it; the result is the same to the
            bit.
        steps_per_call: use less for a model with slow steps.

    Raises:
        WorkFailed: the loss is not finite.
    """
    epochs, batch_size = options.epochs, options.batch_size
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    trainer = MicrobatchModel(model.input, model.output)
    trainer.splits_batches = not on_gpu
    count = len(splits.train_rows)
    steps = epochs * steps_per_epoch(count, batch_size)
    trainer.compile(
        optimizer=create_optimizer(options, options.learning_rate, steps),
        loss="categorical_crossentropy",
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
        steps_per_execution=steps_per_call,
        jit_compile="auto" if on_gpu else False,  # on a CPU, XLA was 3 to 4 times slower
    )
    # TensorFlow would trace the step twice if the first trace created variables.
    trainer.optimizer.build(trainer.trainable_variables)
    order = tf.Variable(splits.train_rows, trainable=False)
    epoch_seed = tf.Variable(0, trainable=False, dtype=tf.int64)
    callbacks: list[keras.callbacks.Callback] = [
        ReseedEachEpoch(order, epoch_seed, splits.train_rows, options.seed)
    ]
    averages = WeightAverages(model, options.ema) if options.ema else None
    if averages:
        trainer.after_step = averages.update
        callbacks.append(averages)
    monitor = EpochMonitor(count, epochs, options.keep, options.patience)
    callbacks.append(monitor)
    if checkpoint_dir:
        saver = CheckpointCallback(checkpoint_dir, trainer, averages, monitor)
        callbacks.append(saver)
        saver.restore()
    done = len(monitor.rows)
    if done:
        print(f"resuming after epoch {done}/{epochs} from a checkpoint", flush=True)
    for epoch, row in enumerate(monitor.rows, start=1):
        on_epoch(epoch, row)
    callbacks.append(
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1, monitor.rows[-1])
        )
    )

    weights = None
    if options.class_weight == "balanced":
        weights = balanced_class_weights(splits.data.labels[splits.train_rows], splits.data.classes)
    augmentation = create_augmentation(options, epoch_seed)
    batches = training_batches(inputs, splits, batch_size, order, augmentation, weights)
    validation = None
    if len(splits.validation_rows):
        validation = prediction_batches(inputs, splits.data, splits.validation_rows)
    with show_progress("preparing the training", epochs * count, done * count) as progress:

        def show_epoch(epoch: int, logs: object) -> None:
            progress.update(epoch * count, f"epoch {epoch + 1}/{epochs}")

        def show_batch(batch: int, logs: object) -> None:
            images = min((batch + 1) * batch_size, count)
            progress.update(len(monitor.rows) * count + images)

        callbacks.append(
            keras.callbacks.LambdaCallback(on_epoch_begin=show_epoch, on_train_batch_end=show_batch)
        )
        trainer.fit(
            batches,
            validation_data=validation,
            initial_epoch=epochs if monitor.is_finished else done,
            epochs=epochs,
            shuffle=False,  # the data set has its own order
            callbacks=callbacks,
            verbose=0,
        )
    return History(tuple(monitor.rows))
