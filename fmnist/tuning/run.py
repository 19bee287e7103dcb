"""The workflow of `tune`: run trials, train the winner with several seeds, and ablate it.

Only the trainings of the winner and of the ablations read test rows.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from optuna import Study

from fmnist import cli, names
from fmnist.crossval.processes import count_workers, load_features, with_weights_digest
from fmnist.data import dataset, splits
from fmnist.data.duplicates import select_training_rows
from fmnist.errors import WorkFailed
from fmnist.models import factory
from fmnist.options import Train, Tune
from fmnist.results.steps import FinishedStep, Step
from fmnist.results.tuning import TrialResult, best_trial
from fmnist.system.progress import Progress, show_progress
from fmnist.tracking.preflight import check_store
from fmnist.training import distillation
from fmnist.training.features.cache import feature_cache_dir
from fmnist.tuning import study as studies
from fmnist.tuning.ablation import Effect, ablations
from fmnist.tuning.worker import SearchInputs, run_search

if TYPE_CHECKING:
    from fmnist.tracking.nested import NestedRun
    from fmnist.tracking.run import Run


def tune(options: Tune) -> None:
    """Search for the best options. Finished trials and trainings are not repeated.

    Raises:
        BadInput: options or data cannot be used; no run is created.
        WorkFailed: no trial is complete, or a training failed.
    """
    url = studies.storage_url(options.storage)
    check_store()
    spec = factory.create_spec(options)
    if spec.transfer:
        feature_cache_dir(options.cache_dir)
    data = dataset.load(options.data_dir, options.cache_dir)
    training = select_training_rows(options, data.train, data.test)
    first, *_ = splits.scored_splits(  # reports too few rows before anything is stored
        training.split.labels,
        options.scoring_folds,
        options.validation_fraction,
        options.split_seed,
    )
    storage = studies.open_storage(url)
    spec = with_weights_digest(spec)
    teacher = distillation.load_teacher(options.teacher, data.digest)
    source = teacher.source if teacher else ""
    configuration = spec.configuration(options, data.digest + source)
    digest = configuration.digest
    study_name = f"fmnist-{digest}" if options.study == "auto" else options.study
    tags = {
        **spec.tags,
        **configuration.tags,
        names.TAG_DATA_DIGEST: data.digest,
        names.TAG_STUDY: study_name,
        **({names.TAG_TEACHER: source} if source else {}),
    }
    study = studies.load_or_create(storage, study_name, options)
    studies.check_configuration(study, digest)

    from fmnist.tracking.run import open_run
    from fmnist.tracking.search import find_run_to_resume
    from fmnist.tuning import report

    targets = distillation.soft_targets(
        teacher, options.distillation_weight, data.train, training.numbers
    )
    resume = find_run_to_resume(options.resume, "tune", digest)
    with open_run("tune", options, tags, resume) as run:
        started, used = time.perf_counter(), training.split
        rows = {"training": used}
        if not options.scoring_folds:
            rows = {"training": used.take(first.train), "validation": used.take(first.validation)}
        run.log_inputs(rows, data.source)
        inputs = SearchInputs(options, spec, used, url, study_name, run.run_id, targets=targets)
        trials = _run_trials(run, tags, inputs, study)
        best = best_trial(trials)
        if options.trials and best is None:
            raise WorkFailed("no trial is complete; use more trials, or pruner=none")
        winner = options.with_chosen(best.chosen if best else {}).winner()
        without = ablations(winner) if options.ablate == "on" else {}
        progress = Progress("trainings", options.seeds * (1 + len(without)))
        trainings = _train(run, tags, winner, options, progress)
        effects = [
            Effect(
                technique,
                winner.fingerprint_fields()[technique],
                changed.fingerprint_fields()[technique],
                report.test_accuracies(trainings),
                report.test_accuracies(_train(run, tags, changed, options, progress, technique)),
            )
            for technique, changed in without.items()
        ]
        metrics = report.compute_metrics(trials, trainings)
        run.log_summary(metrics | {names.TUNE_SECONDS: time.perf_counter() - started})
        run.log_files(report.create_winner_files(winner, best, trainings, effects, spec.title))
        description = report.describe_run(spec.title, winner, trials, trainings, effects)
        run.set_tags({names.TAG_NOTE: description})
        cli.print_result(description)
    cli.print_summary(run, "python -m entrypoints.compare")


def _run_trials(
    run: "Run", tags: Mapping[str, str], inputs: SearchInputs, study: Study
) -> tuple[TrialResult, ...]:
    """Complete the study and return all its trials; log those of this run as nested runs."""
    from fmnist.tracking.nested import log_nested_run
    from fmnist.tracking.search import nested_runs
    from fmnist.tuning import report

    options = inputs.options
    finished = len(studies.finished_trials(study))
    if finished < options.trials:  # running trials of other machines may be repeated here
        features = load_features(inputs.spec, options.cache_dir, inputs.used.images)
        inputs = replace(inputs, features=features[0] if features else None)
    logged = [each for each in nested_runs(run.run_id, "trial") if each.is_finished]
    numbers = {int(each.parameters[names.TRIAL]) for each in logged}
    workers, total = count_workers(options.workers), max(options.trials, finished)
    with show_progress("trials", total, finished, workers) as progress:
        for trial in run_search(inputs, study, numbers):
            params = options.parameters() | {k: str(v) for k, v in trial.chosen.items()}
            log_nested_run(run, _nested_run(trial, params, tags))
            trials = studies.finished_trials(study)
            progress.update(len(trials))
            count = f"{len(trials)} of {total}{progress.describe_remaining()}"
            print(report.format_trial(trial, best_trial(trials), count), flush=True)
    trials = studies.finished_trials(study)
    run.log_files(report.create_search_files(trials, studies.importances(study)))
    return trials


def _nested_run(
    trial: TrialResult, params: Mapping[str, str], tags: Mapping[str, str]
) -> "NestedRun":
    """Return the nested run of a trial, with the approximate time of each epoch."""
    from fmnist.tracking.nested import NestedRun

    rows = trial.history.rows if trial.history else ()
    step_seconds = (trial.ended - trial.started) / max(len(rows), 1)
    trial_tags = {
        names.TAG_KIND: "trial",
        names.TAG_TRIAL_STATE: "pruned" if trial.pruned else "complete",
        names.TAG_NOTE: trial.reason,
    }
    return NestedRun(
        name=f"trial {trial.number}",
        params={**params, names.TRIAL: str(trial.number)},
        tags={**tags, **trial_tags},
        started=trial.started,
        ended=trial.ended,
        history=[(trial.started + i * step_seconds, row) for i, row in enumerate(rows, start=1)],
        metrics={} if trial.score is None else {names.TRIAL_SCORE: trial.score},
    )


def _train(
    run: "Run",
    tags: Mapping[str, str],
    options: Train,
    tune: Tune,
    progress: Progress,
    ablated: str = "",
) -> list[FinishedStep]:
    """Train these options once per seed, each in a nested run.

    Args:
        progress: of the trainings of the winner and of all ablations.
        ablated: the technique that is turned off, if any.
    """
    from fmnist.tracking.nested import run_steps

    data_digest = tags[names.TAG_DATA_DIGEST] + tags.get(names.TAG_TEACHER, "")
    name = f"ablation: no {ablated}" if ablated else "winner"
    step_tags = {names.TAG_ABLATION: ablated} if ablated else {}
    steps = []
    for seed in range(tune.seed, tune.seed + tune.seeds):
        seeded = options.model_copy(update={"seed": seed})
        digest = factory.create_spec(seeded).configuration(seeded, data_digest).digest
        steps.append(Step(name, "train", seeded, digest, name, step_tags))
    return run_steps([steps], run, progress, reuse=True)
