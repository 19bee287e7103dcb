"""All folds of a tracked cross-validation: those that are stored, and the others as they come."""

import time
from collections.abc import Mapping
from contextlib import closing

from fmnist import names
from fmnist.crossval import report
from fmnist.crossval.backends import train_folds
from fmnist.crossval.features_subprocess import with_features
from fmnist.crossval.fold import CrossvalInputs
from fmnist.crossval.fold_report import entry, read_folds, told
from fmnist.results.training import FoldFailed, FoldResult, Key
from fmnist.tracking.folds import log_fold, stored_folds
from fmnist.tracking.run import Run


def every_fold(tracked: Run, tags: Mapping[str, str], material: CrossvalInputs) -> dict[str, float]:
    """The metrics of all folds; each is logged when it is there, and what all give at the end.

    Args:
        tags: of the run, that its folds bear too.

    Raises:
        WorkFailed: a fold failed, or the features that all need.
    """
    started = time.perf_counter()
    options, folds = material.options, material.divided.folds
    results: dict[Key, FoldResult | FoldFailed] = dict(read_folds(stored_folds(tracked)))
    if results:
        print(f"crossval: {len(results)} of {len(folds)} folds taken from run {tracked.run_id}")
    counts = {**material.divided.dropped, names.CV_FOLDS_RESUMED: len(results)}
    missing = [fold for fold in folds if fold.key not in results]
    if missing:
        material = with_features(material)
    with closing(train_folds(material, missing)) as arriving:
        for result in arriving:
            log_fold(tracked, result, options.fingerprint_fields(), tags, *entry(result))
            results[result.key] = result
            print(told(result, len(results), len(folds)), flush=True)
    if material.features:
        tracked.set_tags(material.features.tags)
        counts |= material.features.metrics
    ordered = report.complete(results)
    metrics = report.metrics(ordered, options.folds)
    counts[names.CV_SECONDS] = time.perf_counter() - started
    tracked.log_summary(metrics | counts)
    tracked.log_files(report.files(material.spec.title, ordered))
    note = report.note(material.spec.title, ordered, options.folds)
    tracked.set_tags({names.TAG_NOTE: note})
    print(note)
    return metrics
