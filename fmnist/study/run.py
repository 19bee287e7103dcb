"""`main`: the whole study, each step a run nested in the study's, then the report's numbers."""

import time

from fmnist import names
from fmnist.data import dataset
from fmnist.errors import DriftAlarm
from fmnist.models import factory, weights
from fmnist.models.backbones import BACKBONES
from fmnist.options import Crossval, Options, Study, Train, configuration_digest
from fmnist.results.study import TRANSFER, comparing, steps
from fmnist.system import atomic
from fmnist.tracking.address import check_server


def main(options: Study) -> None:
    """One tracked run; a step is a process of its own and has ended before the next begins."""
    check_server()
    data = dataset.load(options.data_dir, options.cache_dir)
    chosen = {name: weights.first_usable(options.weights, BACKBONES[name]) for name in TRANSFER}
    plan = steps(options, chosen)
    place = atomic.output_path(options.output_dir)
    digests = [_digest(step.options, data.digest) for step in plan]

    from fmnist.comparison import report as comparison_report
    from fmnist.study import report
    from fmnist.study.reproduction import reproduction
    from fmnist.tracking.nested import run_step
    from fmnist.tracking.run import open_run

    if place:
        atomic.check_replaceable(place, report.FILES | comparison_report.FILES)
    tags = {
        names.TAG_DATA_DIGEST: data.digest,
        names.TAG_CONFIG_DIGEST: configuration_digest(options, data.digest),
        names.TAG_WEIGHTS: ", ".join(f"{name} {source}" for name, source in chosen.items()),
    }
    with open_run("study", options, tags) as tracked:
        started = time.perf_counter()
        reuse = options.if_done == "skip"
        done = [
            run_step(step, tracked, digest if reuse else "")
            for step, digest in zip(plan, digests, strict=True)
        ]
        trained = [one.run_id for one in done if one.step.entry == "train"]
        compared = run_step(comparing(options, trained), tracked)
        reproduced = reproduction(done, chosen, options.epochs, options.train_size)
        tracked.log_summary(report.metrics(done, time.perf_counter() - started))
        own = report.files([*done, compared], reproduced)
        page = tracked.download_files(compared.run_id)
        tracked.log_files(own | {names.COMPARISON_PAGE: page[names.COMPARISON_PAGE]})
        if place:
            atomic.replace_dir(place, page | own)
        note = report.note(compared, chosen, reproduced)
        tracked.set_tags({names.TAG_NOTE: note})
        print(note)
        if alarms := [one.alarm for one in done if one.alarm]:
            raise DriftAlarm("; ".join(alarms))


def _digest(options: Options, data_digest: str) -> str:
    if isinstance(options, Train | Crossval):
        return factory.create_spec(options).configuration(options, data_digest).digest
    return configuration_digest(options, data_digest)
