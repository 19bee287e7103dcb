"""Fitting one model with `keras.Model.fit`, from memory and many steps per call."""

from typing import Final

import keras
import tensorflow as tf

from fmnist.options.train import ModelOptions
from fmnist.results.training import History
from fmnist.system.progress import show_progress
from fmnist.training import runtime
from fmnist.training.augmentation import create_augmentation
from fmnist.training.callbacks import EpochMonitor, OnEpoch, ReseedEachEpoch, ShowProgress
from fmnist.training.checkpoints import CheckpointCallback, Checkpoints
from fmnist.training.data_parallel import MicrobatchModel
from fmnist.training.input_pipeline import (
    Examples,
    balanced_class_weights,
    prediction_batches,
    steps_per_epoch,
    training_batches,
)
from fmnist.training.optimizers import AverageWeights, WeightAverages, create_optimizer

# A call from Python takes about as long as a step of LeNet-5. Signals are handled between calls.
STEPS_PER_CALL: Final = 64


def fit(
    model: keras.Model,
    train: Examples,
    validation: Examples | None,
    options: ModelOptions,
    *,
    on_epoch: OnEpoch,
    checkpoints: Checkpoints | None = None,
    steps_per_call: int = STEPS_PER_CALL,
) -> History:
    """Fit the model to minimize the cross-entropy, and leave it with the weights to keep.

    The order of the rows, dropout masks and augmentation are functions of (seed, epoch): the same
    seed gives the same history and weights on the same machine.

    Args:
        validation: rows to select the best epoch with; None only with keep=last.
        on_epoch: called after each epoch with its number, starting at 1, and its metrics; for the
            epochs of a checkpoint, at the start.
        checkpoints: where to store the state after each epoch. If there is one already, which must
            be of the same arguments, the fit resumes from it; the result is the same to the bit.
        steps_per_call: use less for a model with slow steps.

    Raises:
        WorkFailed: the loss is not finite.
    """
    epochs, batch_size = options.epochs, options.batch_size
    on_gpu = runtime.uses_gpu()
    trainer = MicrobatchModel(model.input, model.output)
    trainer.splits_batches = not on_gpu
    steps = epochs * steps_per_epoch(len(train), batch_size)
    trainer.compile(
        optimizer=create_optimizer(options, options.learning_rate, steps),
        loss="categorical_crossentropy",
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
        steps_per_execution=steps_per_call,
        jit_compile="auto" if on_gpu else False,  # on a CPU, XLA was 3 to 4 times slower
    )
    # TensorFlow would trace the step twice if the first trace created variables.
    trainer.optimizer.build(trainer.trainable_variables)
    order = tf.Variable(train.rows, trainable=False)
    epoch_seed = tf.Variable(0, trainable=False, dtype=tf.int64)
    monitor = EpochMonitor(len(train), epochs, options.keep, options.patience)
    averages = WeightAverages(model, options.ema) if options.ema else None
    saver = CheckpointCallback(checkpoints, trainer, averages, monitor) if checkpoints else None
    is_resumed = saver is not None and saver.restore()
    if is_resumed:
        print(f"resuming after epoch {len(monitor.rows)}/{epochs} from a checkpoint", flush=True)
    for epoch, row in enumerate(monitor.rows, start=1):
        on_epoch(epoch, row)

    callbacks: list[keras.callbacks.Callback] = [
        ReseedEachEpoch(order, epoch_seed, train.rows, options.seed),
    ]
    if averages:
        trainer.after_step = averages.update
        callbacks.append(AverageWeights(averages, active=is_resumed))
    callbacks.append(monitor)
    if saver:
        callbacks.append(saver)
    callbacks.append(
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1, monitor.rows[-1])
        )
    )
    weights = None
    if options.class_weight == "balanced":
        weights = balanced_class_weights(train.labels[train.rows], train.classes)
    augmentation = create_augmentation(options, epoch_seed)
    batches = training_batches(train, batch_size, order, augmentation, weights)
    done = len(monitor.rows) * len(train)
    with show_progress("preparing the training", epochs * len(train), done) as progress:
        callbacks.append(ShowProgress(progress, len(train), batch_size, epochs))
        trainer.fit(
            batches,
            validation_data=prediction_batches(validation) if validation else None,
            initial_epoch=epochs if monitor.is_finished else len(monitor.rows),
            epochs=epochs,
            shuffle=False,  # the data set has its own order
            callbacks=callbacks,
            verbose=0,
        )
    return History(tuple(monitor.rows))
