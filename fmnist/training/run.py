"""Workflow of `train`: fit one model, evaluate it once on the test data, log everything."""

from fmnist import cli, names
from fmnist.data import dataset, duplicates
from fmnist.data.dataset import Split
from fmnist.data.image_statistics import ImageStatistics
from fmnist.data.splits import Rows, validation_split
from fmnist.models.factory import create_spec
from fmnist.options import Train
from fmnist.system.console import current_console
from fmnist.system.progress import show_progress
from fmnist.tracking.preflight import (
    check_store,
    import_mlflow_in_background,
    open_store_in_background,
)
from fmnist.training.distillation import load_teacher, soft_targets
from fmnist.training.features.cache import feature_cache_dir
from fmnist.training.resume import find_resume_state


def train(options: Train) -> None:
    """Train a model in a tracked run; options and data are validated before TensorFlow loads."""
    check_store()
    import_mlflow_in_background()
    spec = create_spec(options)
    cache_dir = feature_cache_dir(options.cache_dir) if spec.transfer else None
    data = dataset.load(options.data_dir, options.cache_dir)
    training = duplicates.select_training_rows(options, data.train, data.test)
    train_rows, validation_rows = validation_split(
        training.split.labels, options.validation_fraction, options.split_seed
    )
    teacher = load_teacher(options.teacher, data.digest)
    teacher_source = teacher.source if teacher else ""
    configuration = spec.configuration(options, data.digest + teacher_source)
    resume_state = find_resume_state(options, configuration)

    from fmnist.training import runtime

    open_store_in_background(then=runtime.import_plotting)
    with show_progress("importing TensorFlow"):
        runtime.start(every_core=spec.transfer is not None)
    from fmnist.results.training import Evaluation
    from fmnist.tracking.model import log_model
    from fmnist.tracking.run import open_run
    from fmnist.training import plots, report
    from fmnist.training.features.extraction import load_features
    from fmnist.training.input_pipeline import DataSplits
    from fmnist.training.train import flip_metrics, train_model

    tags = {names.TAG_DATA_DIGEST: data.digest, **spec.tags, **resume_state.tags}
    tags |= {names.TAG_TEACHER: teacher_source} if teacher else {}
    splits = DataSplits(
        training.split,
        train_rows,
        validation_rows,
        data.test.images,
        scored_rows=validation_rows,
        targets=soft_targets(teacher, options.distillation_weight, data.train, training.numbers),
    )
    with (
        show_progress("opening the run") as phase,
        open_run("train", options, tags, resume_state.run_id) as run,
    ):
        phase.update(0, "preparing and evaluating the model")
        run.log_inputs(_inputs(training.split, train_rows, validation_rows, data.test), data.source)
        result = train_model(
            spec,
            splits,
            options,
            features=load_features(spec, training.split.images, data.test.images, cache_dir),
            on_epoch=run.log_epoch,
            checkpoint_dir=resume_state.checkpoint_dir(run.run_id),
        )
        history = result.history
        epoch = history.best_epoch if options.keep == "best" else history.epochs
        evaluation = Evaluation(data.test.labels.astype("int64"), result.test_probabilities)
        phase.update(0, "logging the model")
        model_bytes = log_model(
            run,
            spec.name,
            result.model,
            data.test.images[:100],
            data.class_names,
            step=epoch,
            statistics=ImageStatistics.fit(training.split).to_bytes(),
        )
        metrics = {
            **report.fit_metrics(history),
            **report.test_metrics(evaluation),
            **report.size_metrics(result.model),
            **training.dropped,
            **result.metrics,
            names.MODEL_BYTES: model_bytes,
        }
        if options.tta_flip == "on":
            metrics |= flip_metrics(result.model, data.test, evaluation)
        run.log_summary(metrics, of_model=True)
        phase.update(0, "logging figures and tables")
        run.log_files(
            report.create_files(
                spec.title, options, history, epoch, evaluation, data.test.images, data.class_names
            )
            | report.create_validation_file(
                training.numbers[validation_rows],
                training.split.labels[validation_rows],
                result.scored_probabilities,
            )
            | {names.MODEL_SUMMARY: report.format_summary(result.model).encode()}
        )
        run.log_images(
            names.IMAGES_MISTAKES,
            plots.draw_mistakes(data.test.images, evaluation, data.class_names),
        )
        description = report.describe_run(spec.title, history, epoch, evaluation, data.class_names)
        run.set_tags({names.TAG_NOTE: description, **result.tags})
        if options.register_as != "none":
            # Lists of versions show the Markdown source.
            run.register(
                options.register_as, {names.TAG_MODEL: spec.name}, description.replace("**", "")
            )
        cli.print_result(description)
        run.log_files({names.CONSOLE_TEXT: current_console().text.encode()})
    resume_state.remove_checkpoints()
    cli.print_summary(run, "python -m entrypoints.compare")


def _inputs(used: Split, train_rows: Rows, validation_rows: Rows, test: Split) -> dict[str, Split]:
    """Return the rows that the run uses, by context."""
    splits = {"training": used.take(train_rows), "test": test}
    if len(validation_rows):
        splits["validation"] = used.take(validation_rows)
    return splits
