"""`compare`: compare finished runs of `train`. Nothing is trained, TensorFlow is not imported."""

import os
import time

from fmnist import cli, names
from fmnist.data import dataset, sources
from fmnist.errors import BadInput
from fmnist.options import Compare, configuration
from fmnist.system import atomic
from fmnist.tracking.preflight import check_store


def compare(options: Compare) -> None:
    """Load runs from the tracking store, compare them, and log the comparison as a run."""
    started = time.perf_counter()
    check_store()

    # pandas, matplotlib and MLflow take seconds to import.
    from fmnist.comparison import report
    from fmnist.comparison.load import load_runs
    from fmnist.tracking.search import RunStore, log_compared_models

    output_dir = atomic.output_path(options.output_dir)
    if output_dir:
        atomic.check_replaceable(output_dir, report.FILES)
    store = RunStore(options.experiment_names)
    comparison = load_runs(store, options.run_ids, options.model_names, options.seed)
    data = _load_data(options, comparison.data_digest)

    from fmnist.comparison.page import render_page
    from fmnist.comparison.plots import render_figures
    from fmnist.tracking.run import open_run

    run_ids = ",".join(record.run_id for record in comparison.records)
    tags = {
        names.TAG_DATA_DIGEST: comparison.data_digest,
        **configuration(options, comparison.data_digest + run_ids).tags,
        names.TAG_COMPARED: run_ids,
    }
    name = f"compare {len(comparison.models)} models"
    with open_run("compare", options, tags, name=name) as run:
        figures = render_figures(comparison, data.test.images if data else None)
        page = render_page(comparison, figures)
        files = report.create_tables(comparison) | figures | {names.COMPARISON_PAGE: page.encode()}
        log_compared_models(run, filter(None, (record.model_id for record in comparison.records)))
        if data:
            run.log_inputs({"test": data.test}, data.source)
        run.log_files(files)
        if output_dir:
            atomic.replace_dir(output_dir, files)
        description = report.describe(comparison)
        run.set_tags({names.TAG_NOTE: description})
        seconds = {names.COMPARE_SECONDS: time.perf_counter() - started}
        run.log_summary(report.compute_metrics(comparison) | seconds)
        if names.PARENT_RUN not in os.environ:  # the study prints it at its end
            cli.print_result(description)
    if output_dir:
        print(f"\npage      {output_dir / names.COMPARISON_PAGE}")
    cli.print_summary(run, "open the artifact comparison.html of the run")


def _load_data(options: Compare, digest: str) -> dataset.FashionMNIST | None:
    """The data, for the test images; None if this machine does not have the data of the runs."""
    try:
        data = dataset.load(options.data_dir, options.cache_dir)
    except BadInput as error:
        if options.data_dir != sources.AUTO:
            raise
        print(f"compare: continuing without images, because no data was found: {error}")
        return None
    if data.digest == digest:
        return data
    print(
        f"compare: continuing without images, because the runs used other data (digest {digest}) "
        f"than this machine has ({data.digest})"
    )
    return None
