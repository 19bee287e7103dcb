"""Fitting one model: `keras.Model.fit`, fed from memory, many steps a call."""

from typing import Final, Literal

import keras
import tensorflow as tf

from fmnist.data.dataset import Split
from fmnist.options.recipe import REPORT, Techniques
from fmnist.results import History
from fmnist.training import batches
from fmnist.training.augment import alteration
from fmnist.training.averages import Averaged, Averages
from fmnist.training.batches import Rows
from fmnist.training.checkpoints import Checkpoints
from fmnist.training.descent import optimiser
from fmnist.training.halves import SideBySide
from fmnist.training.predict import PREDICTION_BATCH
from fmnist.training.progress import Bar
from fmnist.training.snapshots import Snapshots
from fmnist.training.watch import OnEpoch, Randomness, Tell, Watch

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
    techniques: Techniques = REPORT,
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
        techniques: what is done beyond plain Adam; `normalise` is the model's own affair.
        checkpoints: where each epoch is kept; the fit goes on from the newest that is there, which
            must be of the same arguments, and ends as if it had never been interrupted.

    Raises:
        WorkFailed: the loss is no longer a finite number.
    """
    trainer = SideBySide(model.input, model.output)
    chosen = batches.rows_of(train).chosen
    steps = epochs * batches.steps_of_pass(len(train), batch_size)
    trainer.compile(
        optimizer=optimiser(techniques, learning_rate, steps),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=steps_per_call,
        jit_compile=False,  # XLA on a CPU made training 3 to 4 times slower
    )
    order = tf.Variable(chosen, trainable=False)
    drawn = tf.Variable(0, trainable=False, dtype=tf.int64)
    callbacks = [Bar(len(train), batch_size, epochs), Randomness(order, drawn, chosen, seed)]
    watch = Watch(len(train), epochs, keep, techniques.patience)
    averages = Averages(model, techniques.ema) if techniques.ema else None
    snapshots = Snapshots(checkpoints, trainer, averages, watch) if checkpoints else None
    resumed = snapshots is not None and snapshots.restore()
    if averages:
        trainer.after_step = averages.update
        callbacks.append(Averaged(averages, inside=resumed))
    callbacks += [watch, *([snapshots] if snapshots else []), Tell(watch, on_epoch)]
    if resumed:
        print(f"goes on after epoch {len(watch.rows)}/{epochs}, from a checkpoint", flush=True)
    for epoch, row in enumerate(watch.rows, start=1):
        on_epoch(epoch, row)
    trainer.fit(
        batches.in_order(train, batch_size, order, alteration(techniques, drawn)),
        validation_data=validation and batches.in_file_order(validation, PREDICTION_BATCH),
        initial_epoch=epochs if watch.over else len(watch.rows),
        epochs=epochs,
        shuffle=False,  # the order is the data set's own
        callbacks=callbacks,
        verbose=0,
    )
    return History(tuple(watch.rows))
