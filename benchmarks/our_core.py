"""LeNet-5 trained by this project's core, timed like the baseline: no tracking, no figures."""

import argparse
import json
import time


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()

    from fmnist.data import dataset, splits

    data = dataset.load(arguments.data_dir, "auto")
    fit_rows, held_out = splits.validation_split(data.train.labels, 0.1, arguments.seed)
    started = time.perf_counter()
    from fmnist.training import runtime

    runtime.start()
    from fmnist import names
    from fmnist.models.lenet5 import lenet5
    from fmnist.training.fit import fit
    from fmnist.training.predict import predict

    import_seconds = time.perf_counter() - started
    model = lenet5(0.0, arguments.seed)
    history = fit(
        model,
        data.train.take(fit_rows),
        data.train.take(held_out),
        epochs=arguments.epochs,
        batch_size=128,
        learning_rate=0.001,
        seed=arguments.seed,
        keep="last",
        on_epoch=lambda epoch, metrics: None,
    )
    probabilities, _ = predict(model, data.test.images)
    accuracy = float((probabilities.argmax(axis=1) == data.test.labels).mean())
    seconds = history.column(names.EPOCH_SECONDS)
    told = {"import_seconds": import_seconds, "epoch_seconds": seconds, "accuracy": accuracy}
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main()
