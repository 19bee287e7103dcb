"""Fitting one model: `keras.Model.fit`, fed from memory, many steps a call."""

from typing import Final, Literal

import keras
import tensorflow as tf

from fmnist.data.dataset import Split
from fmnist.options.recipe import REPORT, Recipe
from fmnist.results.training import History
from fmnist.training import input_pipeline
from fmnist.training.augmentation import alteration
from fmnist.training.callbacks import EpochEndCallback, EpochMonitor, OnEpoch, ReseedEachEpoch
from fmnist.training.checkpoints import Checkpoints
from fmnist.training.data_parallel import MicrobatchModel
from fmnist.training.input_pipeline import Rows
from fmnist.training.optimizers import optimizer
from fmnist.training.predict import PREDICTION_BATCH
from fmnist.training.progress import Bar
from fmnist.training.training_state import Snapshots
from fmnist.training.weight_averaging import Averaged, Averages

# A call from Python costs about as much as a step, and a signal waits for the call to end.
STEPS_PER_CALL: Final = 64


def fit(
    model: keras.Model,
    train: Split | Rows,
    validation: Split | Rows | None,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    keep: Literal["best", "last"],
    on_epoch: OnEpoch,
    steps_per_call: int = STEPS_PER_CALL,
    techniques: Recipe = REPORT,
    checkpoints: Checkpoints | None = None,
) -> History:
    """What each epoch measured; the model is left with the weights that `keep` asks for.

    On the categorical cross-entropy. The order of the rows, all dropout masks and whatever the
    techniques draw follow from (seed, epoch): the same seed on the same machine gives the same
    history and weights.

    Args:
        train: what the model takes, images or features, with labels.
        validation: rows to choose the best epoch by; None only with keep="last".
        on_epoch: called after each epoch with its number, counted from 1, and its metrics; of
            epochs that a checkpoint holds, at the start.
        steps_per_call: fewer for a model whose steps take long.
        techniques: what is done beyond plain Adam; `normalize` is the model's own affair.
        checkpoints: where each epoch is kept; the fit goes on from the newest that is there, which
            must be of the same arguments, and ends as if it had never been interrupted.

    Raises:
        WorkFailed: the loss is no longer a finite number.
    """
    trainer = MicrobatchModel(model.input, model.output)
    chosen = input_pipeline.rows_of(train).chosen
    steps = epochs * input_pipeline.steps_of_pass(len(train), batch_size)
    trainer.compile(
        optimizer=optimizer(techniques, learning_rate, steps),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_per_call,
        jit_compile=False,  # XLA on a CPU made training 3 to 4 times slower
    )
    order = tf.Variable(chosen, trainable=False)
    drawn = tf.Variable(0, trainable=False, dtype=tf.int64)
    callbacks = [Bar(len(train), batch_size, epochs), ReseedEachEpoch(order, drawn, chosen, seed)]
    watch = EpochMonitor(len(train), epochs, keep, techniques.patience)
    averages = Averages(model, techniques.ema) if techniques.ema else None
    snapshots = Snapshots(checkpoints, trainer, averages, watch) if checkpoints else None
    resumed = snapshots is not None and snapshots.restore()
    if averages:
        trainer.after_step = averages.update
        callbacks.append(Averaged(averages, inside=resumed))
    callbacks += [watch, *([snapshots] if snapshots else []), EpochEndCallback(watch, on_epoch)]
    if resumed:
        print(f"goes on after epoch {len(watch.rows)}/{epochs}, from a checkpoint", flush=True)
    for epoch, row in enumerate(watch.rows, start=1):
        on_epoch(epoch, row)
    trainer.fit(
        input_pipeline.in_order(train, batch_size, order, alteration(techniques, drawn)),
        validation_data=validation and input_pipeline.in_file_order(validation, PREDICTION_BATCH),
        initial_epoch=epochs if watch.over else len(watch.rows),
        epochs=epochs,
        shuffle=False,  # the order is the data set's own
        callbacks=callbacks,
        verbose=0,
    )
    return History(tuple(watch.rows))
