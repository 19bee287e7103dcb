"""The model card of a promoted model, and the results of its gates as tables."""

from collections.abc import Sequence
from io import BytesIO
from typing import Final

import pandas as pd

from fmnist import names
from fmnist.data.dataset import FASHION_MNIST_DIGEST
from fmnist.evaluation.statistics import wilson_interval
from fmnist.options import Train
from fmnist.plots.formatting import format_score
from fmnist.registry.gates import Gate, load_predictions
from fmnist.results.training import StoredModel

_METRICS: Final = (
    names.TEST_LOSS, names.TEST_MACRO_F1, names.TEST_ECE, names.PARAMETERS_TOTAL,
    names.MODEL_BYTES, names.PREDICT_MS_PER_IMAGE,
)  # fmt: skip
_LIMITS: Final = (
    "The model also returns a class, often with high confidence, for images that show none of its "
    "classes or several objects. The test images come from "
    "the same source as the training images; expect lower accuracy on other images. The validation "
    "accuracy is biased upwards: the epoch, and possibly the options, were selected on validation "
    "rows. The test rows were evaluated once and not used for any selection."
)


def gates_csv(gates: Sequence[Gate]) -> bytes:
    """Render one line per gate."""
    return pd.DataFrame(gates, columns=Gate._fields).to_csv(index=False).encode()


def gates_table(gates: Sequence[Gate]) -> str:
    """Render the gates in Markdown."""
    if not gates:
        return "No gates were requested."
    rows = [(*gate[:-1], "yes" if gate.passed else "**no**") for gate in gates]
    return _table(Gate._fields, rows)


def render(stored: StoredModel, gates: Sequence[Gate]) -> str:
    """Render the model card in Markdown: origin, scores, intended use, limits, configuration."""
    options = Train.from_text(stored.params)
    configuration = ", ".join(f"`{k}={v}`" for k, v in options.fingerprint_fields().items())
    return "\n\n".join(
        [
            # The list of versions shows the beginning as plain text.
            f"{options.model}, trained by run {stored.run_id} on the data "
            f"{stored.tags.get(names.TAG_DATA_DIGEST, 'unknown')}.",
            f"### Scores\n{_scores(stored)}",
            f"### Test images by class\n{_classes(stored)}",
            f"### Intended use\n{_describe_use(stored)}",
            f"### Limits\n{_LIMITS}",
            f"### Configuration\n{configuration}",
            f"### Gates\n{gates_table(gates)}",
        ]
    )


def _describe_use(stored: StoredModel) -> str:
    images = "like the training images"
    if stored.tags.get(names.TAG_DATA_DIGEST) == FASHION_MNIST_DIGEST:
        images = "like those of Fashion-MNIST (light, centered clothing on a black background)"
    return (
        f"Classification of 28 x 28 grayscale images {images} into the classes of the table above, "
        "for teaching and for comparing methods. Input: uint8 (n, 28, 28). Output: float32 "
        "(n, classes), probabilities in the order of the table."
    )


def _scores(stored: StoredModel) -> str:
    rows: list[tuple[str, ...]] = []
    for title, name in (
        ("accuracy, validation rows", names.PREDICTIONS_VALIDATION),
        ("accuracy, test images", names.PREDICTIONS_TEST),
    ):
        if predictions := load_predictions(stored, name):
            evaluation = predictions[1]
            correct = int((evaluation.predicted == evaluation.labels).sum())
            total = len(evaluation.labels)
            low, high = wilson_interval(correct, total)
            value = f"{correct / total:.4f} ({correct:,} of {total:,})"
            rows.append((title, value, f"{low:.4f} to {high:.4f}"))
    rows += [
        (names.column_name(n), f"{stored.metrics[n]:,.6g}", "")
        for n in _METRICS
        if n in stored.metrics
    ]
    return _table(("score", "value", "95 % interval (Wilson)"), rows)


def _classes(stored: StoredModel) -> str:
    if names.TABLE_PER_CLASS not in stored.files:
        return "Not stored."
    table = pd.read_csv(
        BytesIO(stored.files[names.TABLE_PER_CLASS]),
        dtype={"class": str},
        keep_default_na=False,  # a class may be called "NA"
        na_values=[""],
    )
    columns = table[["class", "precision", "recall", "f1", "support"]]
    rows = [
        (str(name), f"{p:.3f}", format_score(r), format_score(f), f"{n:,}")
        for name, p, r, f, n in columns.itertuples(index=False)
    ]
    return _table(("class", "precision", "recall", "F1", "images"), rows)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
