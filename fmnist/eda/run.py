"""`eda`: describe, draw, check, correlate and project the data, log all of it."""

from fmnist import names
from fmnist.data import dataset
from fmnist.options import Eda, configuration_digest
from fmnist.tracking.address import check_server


def eda(options: Eda) -> None:
    """One tracked run; options and data are checked before it is opened."""
    check_server()
    data = dataset.load(options.data_dir, options.cache_dir)

    from fmnist.eda import explore

    explore.check(data, options.tsne_rows, options.perplexity)

    from fmnist.eda import report
    from fmnist.system.memory import peak_memory
    from fmnist.system.progress import Steps
    from fmnist.tracking.run import open_run

    tags = {
        names.TAG_DATA_DIGEST: data.digest,
        names.TAG_CONFIG_DIGEST: configuration_digest(options, data.digest),
    }
    steps = Steps()
    with open_run("eda", options, tags) as tracked:
        parts = {"training": data.train, "test": data.test}
        tracked.log_inputs(data.digest, {k: (s.images, s.labels) for k, s in parts.items()})
        with steps.step(names.EDA_SECONDS):
            found = explore.explore(
                data, options.tsne_rows, options.perplexity, options.seed, steps
            )
            with steps.step(names.FIGURES_SECONDS):
                files = report.files(found)
        tracked.log_summary(report.metrics(found))
        tracked.log_files(files)
        note = report.note(found)
        tracked.set_tags({names.TAG_NOTE: note})
        tracked.log_summary({names.PEAK_MEMORY_BYTES: peak_memory(), **steps.seconds})
        print(note)
