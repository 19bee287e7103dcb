"""Where folds are trained: on the cores of this machine, or on a cluster."""

from collections.abc import Generator, Sequence
from functools import partial

from fmnist.crossval.cluster import run_on
from fmnist.crossval.fold import CrossvalInputs, train_fold
from fmnist.crossval.local import run_folds
from fmnist.data.splits import Fold
from fmnist.results.training import FoldFailed, FoldResult


def train_folds(
    material: CrossvalInputs, folds: Sequence[Fold]
) -> Generator[FoldResult | FoldFailed, None, None]:
    """Each fold's result as soon as it is there, trained where the options say.

    The result of a fold does not depend on where that is, as far as the machines are alike.
    """
    options = material.options
    if options.backend == "loky":
        return run_folds(partial(train_fold, material), folds, options.workers)
    train = partial(train_fold, material.unmapped())
    if options.backend == "ray":
        from fmnist.crossval.ray_backend import OnRay  # an optional package

        return run_on(partial(OnRay, options.cluster_address, train), folds, options.workers)
    from fmnist.crossval.dask_backend import OnDask  # an optional package

    return run_on(partial(OnDask, options.cluster_address, train), folds, options.workers)
