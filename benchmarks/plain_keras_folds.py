"""The baseline: five folds of LeNet-5 one after another, with nothing of this project.

Numpy float arrays, `keras.Model.fit`, batches of 128, a tenth of a fold's rows for validation; each
network is scored on its held-out rows and on the test rows. Frozen: it must not get faster as the
project does.
"""

import argparse
import json
import os
from pathlib import Path

from benchmarks.plain_keras import lenet5, read

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()

    import keras
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    keras.utils.set_random_seed(0)
    images, labels = read(arguments.data_dir, "train")
    test_images, test_labels = read(arguments.data_dir, "t10k")
    one_hot, test_one_hot = (keras.utils.to_categorical(x, 10) for x in (labels, test_labels))
    held_out, test = [], []
    divided = StratifiedKFold(arguments.folds, shuffle=True, random_state=0).split(images, labels)
    for rest, rows in divided:
        model = lenet5()
        model.fit(
            images[rest],
            one_hot[rest],
            batch_size=128,
            epochs=arguments.epochs,
            validation_split=0.1,
        )
        held_out.append(model.evaluate(images[rows], one_hot[rows], verbose=0)[1])
        test.append(model.evaluate(test_images, test_one_hot, verbose=0)[1])
    told = {
        "held_out": [float(np.mean(held_out)), float(np.std(held_out))],
        "test": [float(np.mean(test)), float(np.std(test))],
    }
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main()
