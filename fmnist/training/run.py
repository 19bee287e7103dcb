"""`train`: fit one model, evaluate it once on the test rows, log all of it."""

from fmnist import names
from fmnist.data import cleaning, dataset, splits
from fmnist.models import factory
from fmnist.options import Train
from fmnist.tracking.address import check_server
from fmnist.training import distillation, resume
from fmnist.training.features.store import folder_of


def train(options: Train) -> None:
    """One tracked run; options and data are checked before anything heavy is imported."""
    check_server()
    spec = factory.spec(options)
    cache = folder_of(options.cache_dir) if spec.transfer else None
    data = dataset.load(options.data_dir, options.cache_dir)
    training = cleaning.select_training_rows(options, data.train, data.test)
    used, numbers = training.split, training.numbers
    fit_rows, held_out = splits.validation_split(
        used.labels, options.validation_fraction, options.seed
    )
    fitted = used.take(fit_rows)
    validation = used.take(held_out) if len(held_out) else None
    teacher = distillation.teacher_of(options.teacher, data.digest)
    source = teacher.source if teacher else ""
    resume_state = resume.find(options, spec.configuration(options, data.digest + source))

    from fmnist.training import runtime

    runtime.start(every_core=spec.transfer is not None)
    from fmnist.models.summary import parameters, summary
    from fmnist.results.training import Evaluation
    from fmnist.tracking.model import log_model
    from fmnist.tracking.run import open_run
    from fmnist.training import report
    from fmnist.training.features.frozen import frozen
    from fmnist.training.predict import flip_metrics
    from fmnist.training.train import DataSplits, train_model

    tags = {names.TAG_DATA_DIGEST: data.digest, **spec.tags, **resume_state.tags}
    tags |= {names.TAG_TEACHER: source} if source else {}
    targets = distillation.targets(teacher, options.distillation_weight, data.train, numbers)
    with open_run("train", options, tags, resume_state.run_id) as tracked:
        splits_used = {"training": fitted, "validation": validation, "test": data.test}
        parts = {name: (s.images, s.labels) for name, s in splits_used.items() if s}
        tracked.log_inputs(data.digest, parts)
        division = DataSplits(used, fit_rows, held_out, data.test.images, held_out, targets)
        features = frozen(spec, used.images, data.test.images, cache)
        trained = train_model(
            spec,
            division,
            options,
            features=features,
            on_epoch=tracked.log_epoch,
            checkpoints=resume_state.folder(tracked.run_id),
        )
        model, history = trained.model, trained.history
        kept = history.best_epoch if options.keep == "best" else history.epochs
        evaluation = Evaluation(data.test.labels.astype("int64"), trained.probabilities)

        size = log_model(tracked, model, data.test.images[:100], data.class_names, step=kept)
        tracked.log_summary(
            report.fit_metrics(history)
            | report.test_metrics(evaluation)
            | training.dropped
            | parameters(model)
            | trained.metrics
            | (flip_metrics(model, data.test, evaluation) if options.tta_flip == "on" else {})
            | {names.MODEL_BYTES: size},
            of_model=True,
        )
        tracked.log_files(
            report.files(spec.title, history, evaluation, data.test.images, data.class_names)
            | report.validation_file(numbers[held_out], used.labels[held_out], trained.unseen)
            | {names.MODEL_SUMMARY: summary(model).encode()}
        )
        note = report.note(spec.title, history, kept, evaluation, data.class_names)
        tracked.set_tags({names.TAG_NOTE: note, **trained.tags})
        if options.register_as != "none":
            tracked.register(options.register_as, tags)
        print(note)
    resume_state.forget()
