"""Train one model with several seeds in one process, each in a run of its own.

    python -m fmnist.training.replicates 0,1,2 --model lenet5 ...

`main` and `tune` use it: Python and TensorFlow start once per model. Each run has the same results
as one of `train` in a process of its own.
"""

import sys

from fmnist import cli
from fmnist.options import Train
from fmnist.options.base import AUTO
from fmnist.system.signals import signals_deferred


def train_replicates(options: Train, seeds: list[int]) -> None:
    """Train with each seed; the weights and the graph of the last model are released."""
    with signals_deferred():  # an interrupted import of NumPy cannot be repeated
        from fmnist.training import run

    for seed in seeds:
        print(f"\nseed {seed}", flush=True)
        changes: dict[str, object] = {"seed": seed}
        if options.run_name != AUTO:
            changes["run_name"] = f"{options.run_name} seed {seed}"
        run.train(options.model_copy(update=changes))

        import keras  # `train` has configured TensorFlow

        keras.utils.clear_session()


def main() -> None:
    """Parse the seeds and the options of `train`."""
    seeds = [int(text) for text in sys.argv.pop(1).split(",")]

    def train(options: Train) -> None:
        train_replicates(options, seeds)

    cli.run(Train, train)


if __name__ == "__main__":
    main()
