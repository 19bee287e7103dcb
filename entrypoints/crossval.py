"""`crossval`: train one model a fold, score each on rows it has not seen, log all of it."""

import time
from contextlib import closing
from functools import partial

from fmnist import names
from fmnist.command import run
from fmnist.data import dataset, sources
from fmnist.errors import DriftAlarm
from fmnist.lock import alone
from fmnist.options import Crossval, configuration_digest
from fmnist.process import stop_after
from fmnist.results import FoldFailed, FoldResult, Key
from fmnist.tracking.address import knock, store_name
from fmnist.training.fold import divide, train_fold


def crossval(options: Crossval) -> None:
    """One tracked run with a nested run a fold; this process alone writes to the store."""
    stop_after(options.timeout_minutes)
    knock()
    data = dataset.load(options.data_dir, options.cache_dir)
    folds, dropped = divide(options, data.train, data.test)
    digest = configuration_digest(options, data.digest)
    tags = {names.TAG_MODEL: options.model, names.TAG_DATA_DIGEST: data.digest}
    tags[names.TAG_CONFIG_DIGEST] = digest
    lock = sources.cache_root(options.cache_dir) / "locks" / f"{store_name()}-{digest}.lock"
    with alone(lock) as other:
        from fmnist.reports import crossval as report
        from fmnist.reports.folds import entry, read_folds, told
        from fmnist.tracking import query
        from fmnist.tracking.folds import log_fold, stored_folds
        from fmnist.tracking.inputs import log_inputs
        from fmnist.tracking.run import leave_launched_run, open_run
        from fmnist.training.crossval import run_folds

        done = query.done("crossval", digest)
        recent = query.ended_within(done, options.done_within_hours)
        if other or (recent and options.if_done == "skip"):
            reason = other or f"run {recent[0].info.run_id} has done the same"
            print(f"crossval: nothing to do: {reason}")
            leave_launched_run(f"Nothing to do: {reason}.")
            return
        resume = query.to_resume(options.resume, "crossval", digest)
        started = time.perf_counter()
        with open_run("crossval", options, tags, resume) as tracked:
            arrays = {"training": data.train, "test": data.test}
            log_inputs(data.digest, {k: (s.images, s.labels) for k, s in arrays.items()})
            results: dict[Key, FoldResult | FoldFailed] = dict(read_folds(stored_folds(tracked)))
            if results:
                print(f"crossval: {len(results)} of {len(folds)} folds taken from run {resume}")
            missing = [fold for fold in folds if fold.key not in results]
            train = partial(train_fold, options, data.train, data.test)
            resumed = {names.CV_FOLDS_RESUMED: len(results)}
            with closing(run_folds(train, missing, options.workers)) as arriving:
                for result in arriving:
                    log_fold(tracked, result, options.affecting_result(), tags, *entry(result))
                    results[result.key] = result
                    print(told(result, len(results), len(folds)), flush=True)
            ordered = report.complete(results)
            metrics = report.metrics(ordered, options.folds)
            seconds = {names.CV_SECONDS: time.perf_counter() - started}
            tracked.log_summary(metrics | dropped | resumed | seconds)
            tracked.log_files(report.files(options.model, ordered))
            note = report.note(options.model, ordered, options.folds)
            earlier = [run.data.metrics for run in done[: options.alarm_runs]]
            alarm = report.alarm(metrics, earlier)
            tracked.set_tags({names.TAG_NOTE: note} | ({names.TAG_ALARM: alarm} if alarm else {}))
            print(note)
    if alarm:
        raise DriftAlarm(alarm)


if __name__ == "__main__":
    run(Crossval, crossval)
