"""`main`: run the complete study and compare its results with the reference report."""

import time

from fmnist import cli, names
from fmnist.crossval.processes import count_workers
from fmnist.data import dataset
from fmnist.errors import DriftAlarm
from fmnist.models import weights
from fmnist.models.backbones import BACKBONES
from fmnist.options import Study, configuration
from fmnist.study.steps import BACKBONE_MODELS, create_comparison_step, create_stages
from fmnist.system import atomic
from fmnist.system.progress import Progress
from fmnist.tracking.preflight import check_store


def main(options: Study) -> None:
    """Run each step as a process whose runs are nested in the run of the study."""
    check_store()
    data = dataset.load(options.data_dir, options.cache_dir)
    chosen = {
        name: weights.first_usable(options.weights, BACKBONES[name]) for name in BACKBONE_MODELS
    }
    stages = create_stages(options, chosen, data.digest)
    output_dir = atomic.output_path(options.output_dir)

    from fmnist.comparison import report as comparison_report
    from fmnist.study import report
    from fmnist.study.reproduction import compare_with_reference
    from fmnist.tracking.nested import run_steps
    from fmnist.tracking.run import open_run

    if output_dir:
        atomic.check_replaceable(output_dir, report.FILES | comparison_report.FILES)
    tags = {
        names.TAG_DATA_DIGEST: data.digest,
        **configuration(options, data.digest).tags,
        names.TAG_WEIGHTS: ", ".join(f"{name} {source}" for name, source in chosen.items()),
    }
    with open_run("study", options, tags) as run:
        started = time.perf_counter()
        run.log_inputs({"training": data.train, "test": data.test}, data.source)
        cli.print_result(report.describe_weights(chosen))
        reuse, processes = options.if_done == "skip", count_workers(options.workers)
        runs = 1 + sum(len(group) for stage in stages for group in stage)
        progress = Progress("runs", runs, estimate_after=0.5)  # some take ten times as long
        finished = [
            step
            for stage in stages
            for step in run_steps(stage, run, progress, reuse=reuse, processes=processes)
        ]
        trained = [each.run_id for each in finished if each.step.entry_point == "train"]
        comparison_step = create_comparison_step(options, trained)
        [comparison] = run_steps([[comparison_step]], run, progress)
        results = compare_with_reference(finished, chosen, options, data.digest)
        run.log_summary(report.compute_metrics(finished, time.perf_counter() - started))
        files = report.create_files([*finished, comparison], results)
        compared = run.download_files(comparison.run_id)
        run.log_files(files | {names.COMPARISON_PAGE: compared[names.COMPARISON_PAGE]})
        if output_dir:
            atomic.replace_dir(output_dir, compared | files)
        description = report.describe(comparison, chosen, results)
        run.set_tags({names.TAG_NOTE: description})
        cli.print_result(description)
        if alarms := [each.alarm for each in finished if each.alarm]:
            raise DriftAlarm("; ".join(alarms))
    cli.print_summary(run, "open the artifact comparison.html of the run")
