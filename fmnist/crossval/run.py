"""The workflow of `crossval`: train one model per fold and log the folds as nested runs."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fmnist import cli, names
from fmnist.crossval import clusters
from fmnist.crossval.executors import Executor, LocalExecutor, run_folds
from fmnist.crossval.folds import (
    CrossvalInputs,
    fold_splits,
    split_folds,
    train_fold,
    with_features,
)
from fmnist.crossval.processes import with_weights_digest
from fmnist.data import dataset, sources
from fmnist.data.duplicates import select_training_rows
from fmnist.data.splits import Fold
from fmnist.errors import DriftAlarm
from fmnist.models import factory
from fmnist.options import Crossval
from fmnist.results.training import FoldFailed, FoldResult, Key
from fmnist.system.locks import exclusive_lock
from fmnist.system.progress import show_progress
from fmnist.system.signals import set_time_limit
from fmnist.tracking.address import store_name
from fmnist.tracking.preflight import check_store
from fmnist.training.features.cache import feature_cache_dir

if TYPE_CHECKING:
    from fmnist.tracking.run import Run


def crossval(options: Crossval) -> None:
    """Cross-validate one model. Only this process writes to the tracking store.

    Raises:
        BadInput: options or data cannot be used; no run is created.
        WorkFailed: a fold failed.
        DriftAlarm: the accuracy differs from that of earlier runs of the same configuration.
    """
    set_time_limit(options.timeout_minutes)
    check_store()
    clusters.check_cluster(options.backend, options.cluster_address)
    spec = factory.create_spec(options)
    if spec.transfer:
        feature_cache_dir(options.cache_dir)
    data = dataset.load(options.data_dir, options.cache_dir)
    training = select_training_rows(options, data.train, data.test)
    folds = split_folds(options, training.split.labels)
    spec = with_weights_digest(spec)
    configuration = spec.configuration(options, data.digest)
    digest = configuration.digest
    tags = {names.TAG_DATA_DIGEST: data.digest, **configuration.tags, **spec.tags}
    lock = sources.cache_root(options.cache_dir) / "locks" / f"{store_name()}-{digest}.lock"
    with exclusive_lock(lock) as lock_holder:
        from fmnist.crossval import report
        from fmnist.tracking import search
        from fmnist.tracking.run import open_run
        from fmnist.tracking.start import leave_launched_run

        finished = search.finished_runs("crossval", digest)
        recent = search.ended_within(finished, options.done_within_hours)
        if lock_holder or (recent and options.if_done == "skip"):
            reason = lock_holder or f"run {recent[0].run_id} has the same configuration"
            print(f"crossval: nothing to do: {reason}")
            leave_launched_run(f"Nothing to do: {reason}.", f"crossval {spec.name} (skipped)")
            return
        resume = search.find_run_to_resume(options.resume, "crossval", digest)
        with open_run("crossval", options, tags, resume) as run:
            run.log_inputs({"training": training.split, "test": data.test}, data.source)
            inputs = CrossvalInputs(options, spec, training, data.test)
            results = _train_missing_folds(run, tags, inputs, folds, data.source)
            reference = report.find_reference(options, data.digest)
            metrics = report.compute_metrics(results, options.folds)
            run.log_summary(metrics)
            run.log_files(report.create_files(spec.title, results, reference, data))
            description = report.describe_run(spec.title, results, metrics, reference)
            run.set_tags({names.TAG_NOTE: description})
            cli.print_result(description)
            earlier = [r.metrics for r in finished[: options.alarm_runs]]
            if alarm := report.find_drift(metrics, earlier):
                run.set_tags({names.TAG_ALARM: alarm})
                cli.print_summary(run, "python -m fmnist doctor")
                raise DriftAlarm(alarm)
        cli.print_summary(run, "python -m entrypoints.train")


def _train_missing_folds(
    run: "Run",
    tags: Mapping[str, str],
    inputs: CrossvalInputs,
    folds: tuple[Fold, ...],
    source: str,
) -> list[FoldResult]:
    """Train the folds that the run does not have yet; log each as soon as it is finished.

    Args:
        source: directory of the data.
    """
    from fmnist.crossval import fold_runs, report
    from fmnist.tracking.inputs import describe_inputs

    started = time.perf_counter()
    results: dict[Key, FoldResult | FoldFailed] = {**fold_runs.read_finished_folds(run)}
    if results:
        print(f"crossval: {len(results)} of {len(folds)} folds taken from run {run.run_id}")
    counts = {**inputs.training.dropped, names.CV_FOLDS_RESUMED: len(results)}
    missing = {fold.key: fold for fold in folds if fold.key not in results}
    if missing:
        inputs = with_features(inputs)
        params = inputs.options.parameters()
        with (
            closing(start_executor(inputs)) as executor,
            show_progress("folds", len(folds), len(results), executor.capacity()) as progress,
        ):
            for result in run_folds(executor, list(missing.values())):
                results[result.key] = result
                progress.update(len(results))
                rows = fold_splits(inputs, missing[result.key])
                fold_runs.log_fold(run, result, params, tags, describe_inputs(rows, source))
                count = f"{len(results)} of {len(folds)}{progress.describe_remaining()}"
                print(f"{fold_runs.format_fold(result)} ({count})", flush=True)
    finished = report.require_all(results)
    if inputs.features:
        run.set_tags(inputs.features.tags)
        counts |= inputs.features.metrics
    run.log_summary(counts | {names.CV_SECONDS: time.perf_counter() - started})
    return finished


def start_executor(inputs: CrossvalInputs) -> Executor:
    """Return the executor that the options `backend` and `workers` select."""
    options = inputs.options
    if options.backend == "loky":
        return LocalExecutor(partial(train_fold, inputs), options.workers)
    if inputs.features:  # other machines do not have the files of the feature cache
        inputs = replace(inputs, features=inputs.features.in_memory())
    start = clusters.RayExecutor if options.backend == "ray" else clusters.DaskExecutor
    return start(options.cluster_address, partial(train_fold, inputs), options.workers)
