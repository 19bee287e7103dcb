"""`tune`: search for the best options, train the winner, say what it owes to what."""

from fmnist import names
from fmnist.crossval.processes import with_weights_digest
from fmnist.data import dataset, duplicates, splits
from fmnist.models import factory
from fmnist.options import Tune
from fmnist.tracking.address import check_server
from fmnist.training import distillation
from fmnist.training.features.cache import feature_cache_dir


def tune(options: Tune) -> None:
    """One tracked run with a nested run a trial, and one a training of the winner."""
    from fmnist.tuning import storage
    from fmnist.tuning.study import check_alike, joined

    url = storage.address(options.storage)
    check_server()
    spec = factory.create_spec(options)
    if spec.transfer:
        feature_cache_dir(options.cache_dir)
    data = dataset.load(options.data_dir, options.cache_dir)
    training = duplicates.select_training_rows(options, data.train, data.test)
    used, numbers = training.split, training.numbers
    splits.scored_splits(  # tried here, where a mistake is told before anything is stored
        used.labels, options.scoring_folds, options.validation_fraction, options.seed
    )
    storage.quiet()
    database = storage.opened(url)
    spec = with_weights_digest(spec)
    teacher = distillation.load_teacher(options.teacher, data.digest)
    source = teacher.source if teacher else ""
    digest = spec.configuration(options, data.digest + source).digest
    tags = (
        spec.tags
        | {
            names.TAG_DATA_DIGEST: data.digest,
            names.TAG_CONFIG_DIGEST: digest,
            names.TAG_STUDY: f"fmnist-{digest}" if options.study == "auto" else options.study,
        }
        | ({names.TAG_TEACHER: source} if source else {})
    )

    study = joined(database, tags[names.TAG_STUDY], options)
    check_alike(study, digest)

    from fmnist.tracking import search as query
    from fmnist.tracking.run import open_run
    from fmnist.tuning.objective import Search
    from fmnist.tuning.search import tuned

    targets = distillation.soft_targets(teacher, options.distillation_weight, data.train, numbers)
    resume = query.find_run_to_resume(options.resume, "tune", digest)
    with open_run("tune", options, tags, resume) as tracked:
        tracked.log_inputs(data.digest, {"training": (used.images, used.labels)})
        search = Search(options, spec, used, url, study.study_name, tracked.run_id, targets=targets)
        tuned(tracked, tags, search, study)
