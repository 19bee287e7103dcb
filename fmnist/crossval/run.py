"""`crossval`: train one model a fold, score each on rows it has not seen, log all of it."""

from fmnist import names
from fmnist.crossval.cluster_check import check_in_reach
from fmnist.crossval.features_subprocess import with_weights_digest
from fmnist.crossval.fold import CrossvalInputs, divide
from fmnist.data import dataset, sources
from fmnist.errors import DriftAlarm
from fmnist.models import factory
from fmnist.options import Crossval
from fmnist.system.locks import exclusive_lock
from fmnist.system.signals import set_time_limit
from fmnist.tracking.address import check_server, store_name
from fmnist.training.features.store import folder_of


def crossval(options: Crossval) -> None:
    """One tracked run with a nested run a fold; this process alone writes to the store."""
    set_time_limit(options.timeout_minutes)
    check_server()
    check_in_reach(options.backend, options.cluster_address)
    spec = factory.spec(options)
    if spec.transfer:
        folder_of(options.cache_dir)
    data = dataset.load(options.data_dir, options.cache_dir)
    divided = divide(options, data.train, data.test)
    spec = with_weights_digest(spec)
    digest = spec.configuration(options, data.digest).digest
    tags = {names.TAG_DATA_DIGEST: data.digest, names.TAG_CONFIG_DIGEST: digest, **spec.tags}
    lock = sources.cache_root(options.cache_dir) / "locks" / f"{store_name()}-{digest}.lock"
    with exclusive_lock(lock) as other:
        from fmnist.crossval import fold_runs
        from fmnist.crossval.report import alarm
        from fmnist.tracking import search
        from fmnist.tracking.inputs import log_inputs
        from fmnist.tracking.run import leave_launched_run, open_run

        done = search.done("crossval", digest)
        recent = search.ended_within(done, options.done_within_hours)
        if other or (recent and options.if_done == "skip"):
            reason = other or f"run {recent[0].info.run_id} has done the same"
            print(f"crossval: nothing to do: {reason}")
            leave_launched_run(f"Nothing to do: {reason}.")
            return
        resume = search.to_resume(options.resume, "crossval", digest)
        with open_run("crossval", options, tags, resume) as tracked:
            arrays = {"training": data.train, "test": data.test}
            log_inputs(tracked, data.digest, {k: (s.images, s.labels) for k, s in arrays.items()})
            material = CrossvalInputs(options, spec, divided, data.test)
            metrics = fold_runs.every_fold(tracked, tags, material)
            drift = alarm(metrics, [r.data.metrics for r in done[: options.alarm_runs]])
            if drift:
                tracked.set_tags({names.TAG_ALARM: drift})
                raise DriftAlarm(drift)
