"""`train`: fit one model, evaluate it once on the test rows, log all of it."""

from fmnist import names
from fmnist.command import run
from fmnist.data import cleaning, dataset, splits
from fmnist.options import Train, configuration_digest
from fmnist.tracking.address import knock


def train(options: Train) -> None:
    """One tracked run; options and data are checked before anything heavy is imported."""
    knock()
    data = dataset.load(options.data_dir, options.cache_dir)
    kept_rows = cleaning.training_rows(data.train, data.test, options.drop_duplicates == "on")
    clean = data.train.take(kept_rows.rows)
    used = clean.take(splits.subset(clean.labels, options.train_size, options.seed))
    fit_rows, held_out = splits.hold_out(used.labels, options.validation_fraction, options.seed)
    fitted = used.take(fit_rows)
    validation = used.take(held_out) if len(held_out) else None

    from fmnist.training import runtime

    runtime.start()
    from fmnist.models.specs import SPECS
    from fmnist.models.summary import parameters, summary
    from fmnist.reports import training as report
    from fmnist.results import Evaluation
    from fmnist.tracking.inputs import log_inputs
    from fmnist.tracking.model import log_model, model_bytes, register
    from fmnist.tracking.run import open_run
    from fmnist.training.fit import fit
    from fmnist.training.predict import predict

    tags = {
        names.TAG_MODEL: options.model,
        names.TAG_DATA_DIGEST: data.digest,
        names.TAG_CONFIG_DIGEST: configuration_digest(options, data.digest),
    }
    with open_run("train", options, tags) as tracked:
        splits_used = {"training": fitted, "validation": validation, "test": data.test}
        log_inputs(data.digest, {k: (s.images, s.labels) for k, s in splits_used.items() if s})
        model = SPECS[options.model].build(options.dropout, options.seed)
        history = fit(
            model,
            fitted,
            validation,
            epochs=options.epochs,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            seed=options.seed,
            keep=options.keep,
            on_epoch=tracked.log_epoch,
        )
        kept = history.best_epoch if options.keep == "best" else history.epochs
        probabilities, milliseconds = predict(model, data.test.images)
        evaluation = Evaluation(data.test.labels.astype("int64"), probabilities)

        model_id = log_model(model, data.test.images[:100], data.class_names, step=kept)
        tracked.log_summary(
            report.fit_metrics(history)
            | report.test_metrics(evaluation)
            | kept_rows.counts
            | parameters(model)
            | {names.PREDICT_MS_PER_IMAGE: milliseconds}
            | {names.MODEL_BYTES: model_bytes(tracked, model_id)},
            model_id,
        )
        tracked.log_files(
            report.files(options.model, history, evaluation, data.test.images, data.class_names)
            | {names.MODEL_SUMMARY: summary(model).encode()}
        )
        note = report.note(options.model, history, kept, evaluation, data.class_names)
        tracked.set_tags({names.TAG_NOTE: note})
        if options.register_as != "none":
            register(model_id, options.register_as, tags)
        print(note)


if __name__ == "__main__":
    run(Train, train)
