"""`compare`: what the logged runs say of LeNet-5 and transfer learning, as one page."""

import time

import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.data import dataset, sources
from fmnist.errors import BadInput
from fmnist.options import Compare, configuration_digest
from fmnist.system import atomic
from fmnist.tracking.address import check_server


def compare(options: Compare) -> None:
    """One tracked run, made of other runs; nothing is trained, TensorFlow is not imported."""
    started = time.perf_counter()
    check_server()

    from fmnist.comparison import build as report
    from fmnist.comparison.load import gather
    from fmnist.tracking.search import RunStore, log_compared_models

    place = atomic.output_path(options.output_dir)
    if place:
        atomic.check_replaceable(place, report.FILES)
    gathered = gather(RunStore(options.experiment_names), options.run_ids, options.model_names)
    images = _test_images(options, gathered.data_digest)

    from fmnist.comparison import page as comparison_page
    from fmnist.comparison import plots, tables
    from fmnist.tracking.run import open_run

    run_ids = ",".join(logged.run_id for logged in gathered.runs)
    tags = {
        names.TAG_DATA_DIGEST: gathered.data_digest,
        names.TAG_CONFIG_DIGEST: configuration_digest(options, gathered.data_digest + run_ids),
        names.TAG_COMPARED: run_ids,
    }
    with open_run("compare", options, tags) as tracked:
        compared = report.comparison(gathered, options.seed)
        figures = plots.files(compared, images)
        page = comparison_page.page(compared, figures)
        files = tables.files(compared) | figures | {names.COMPARISON_PAGE: page.encode()}
        log_compared_models(tracked, gathered.model_ids)
        tracked.log_files(files)
        if place:
            atomic.replace_dir(place, files)
        note = report.note(compared)
        tracked.set_tags({names.TAG_NOTE: note})
        seconds = {names.COMPARE_SECONDS: time.perf_counter() - started}
        tracked.log_summary(report.metrics(compared) | seconds)
        print(note)
    if place:
        print(f"\ncompare: written to {place / names.COMPARISON_PAGE}")


def _test_images(options: Compare, digest: str) -> npt.NDArray[np.uint8] | None:
    """The images that were answered, None where this machine has not the same data."""
    try:
        data = dataset.load(options.data_dir, options.cache_dir)
    except BadInput as error:
        if options.data_dir != sources.AUTO:
            raise
        print(f"compare: without images, for there are no data: {error}")
        return None
    if data.digest != digest:
        print(f"compare: without images, for the data here are others (digest {data.digest})")
        return None
    return data.test.images
