"""What checkpoints cost: a training that keeps every epoch on disk, and one that does not.

    uv run python -m benchmarks.checkpoints --data_dir FOLDER [--repeats 5] [--epochs 10]

Both sides run `train` of LeNet-5 (see `sides`). Told besides are the milliseconds that keeping one
epoch takes, alone, and the bytes that it keeps.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.sides import Seconds, compare, options_of, timed
from fmnist import names
from fmnist.training.checkpoints import Checkpoint, Checkpoints

PARAMETERS = 44_426  # of LeNet-5; kept are its weights, Adam's two means of each, the best weights
COPIES = 4
EPOCHS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    alone()

    def measure(side: str, seed: int) -> Seconds:
        switch = ["--checkpoints", "on" if side == "with" else "off"]
        start = ["-m", "entrypoints.train"]
        return timed(start, [*options_of(arguments, seed), *switch], {})

    compare(arguments.repeats, measure)


def alone() -> None:
    draw = np.random.default_rng(0)
    arrays = {str(copy): draw.normal(size=PARAMETERS).astype("f4") for copy in range(COPIES)}
    rows = [{names.VAL_LOSS: draw.random()} for _ in range(EPOCHS)]
    milliseconds = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # not where memory plays the disk
        checkpoints = Checkpoints(Path(folder, "fit"))
        for epoch in range(1, EPOCHS + 1):
            started = time.perf_counter()
            checkpoints.keep(Checkpoint(arrays, rows[:epoch]))
            milliseconds.append(1000 * (time.perf_counter() - started))
        kept = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
    low, high = np.quantile(milliseconds, (0.05, 0.95))
    print(
        f"keeping an epoch: {statistics.median(milliseconds):.1f} ms ({low:.1f} to {high:.1f}, "
        f"{EPOCHS} epochs); {sum(kept):,} bytes on disk"
    )


if __name__ == "__main__":
    main()
