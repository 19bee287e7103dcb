"""A promotion as others see it: the model card, the gates, a few sentences."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Final

import pandas as pd

from fmnist import names
from fmnist.errors import WorkFailed
from fmnist.evaluation import metrics as scores
from fmnist.evaluation import tables
from fmnist.evaluation.statistics import wilson_interval
from fmnist.options import Train
from fmnist.registry.gates import Answers, Candidate, Gate
from fmnist.results.training import Evaluation, StoredModel

_SCORES: Final = (
    names.TEST_LOSS, names.TEST_MACRO_F1, names.TEST_ECE, names.PARAMETERS_TOTAL,
    names.MODEL_BYTES, names.PREDICT_MS_PER_IMAGE,
)  # fmt: skip
_USE: Final = (
    "To tell ten kinds of clothing apart in 28 x 28 gray images like those of Fashion-MNIST: "
    "light clothing, centerd, on black. For teaching, and for comparing methods. Input: uint8 "
    "(n, 28, 28). Output: float32 (n, 10), probabilities in the order of the table above."
)
_LIMITS: Final = (
    "Photographs, other sizes, several articles in one image and anything that is none of the ten "
    "classes get an answer all the same, often a sure one. The test images come from the same "
    "source as the training images: expect worse elsewhere. The epoch, and perhaps the options, "
    "were chosen by the validation rows, so their score flatters a little; the test rows were "
    "read once, by no choice."
)


def candidate(stored: StoredModel) -> Candidate:
    """A stored model with its answers on its validation rows.

    Raises:
        WorkFailed: they are damaged.
    """
    return Candidate(stored, _answers(stored, names.PREDICTIONS_VALIDATION))


def out_of_fold(content: bytes | None) -> Answers | None:
    """The answers in a cross-validation's file, one a row: those of its first repeat."""
    if content is None:
        return None
    table = pd.read_parquet(BytesIO(content))
    first = BytesIO()
    table[table[names.REPEAT] == 1].to_parquet(first, index=False)
    return Answers(*tables.read_predictions(first.getvalue()))


def metrics(candidate: Candidate, champion: Candidate | None, promoted: bool) -> dict[str, float]:
    """The run's metrics."""
    told: dict[str, float] = {names.PROMOTED: promoted}
    if candidate.validation:
        told[names.CANDIDATE_VAL_ACCURACY] = scores.accuracy(candidate.validation.given)
    if champion and champion.stored.version:
        told[names.CHAMPION_VERSION] = champion.stored.version
    return told


def decision(name: str, label: str, refused: str, promoted: bool) -> str:
    """What was decided, in a sentence."""
    if not promoted:
        return f"{name}: {label} is refused: {refused}"
    if refused:
        return f"{name}: {label} is the champion by force=on, against {refused}"
    return f"{name}: {label} passed every gate and is the champion"


def gates_csv(gates: Sequence[Gate]) -> bytes:
    """One line a gate: what was wanted, what came, whether it passed."""
    table = pd.DataFrame(
        [(g.name, g.wanted, g.got, g.passed) for g in gates],
        columns=["gate", "wanted", "got", "passed"],
    )
    return table.to_csv(index=False).encode()


def gates_table(gates: Sequence[Gate]) -> str:
    """The same in Markdown."""
    rows = [(g.name, g.wanted, g.got, "yes" if g.passed else "**no**") for g in gates]
    return _table(("gate", "wanted", "got", "passed"), rows) if rows else "No gates were asked for."


def card(stored: StoredModel, gates: Sequence[Gate]) -> str:
    """The model card: what the model is, how it was made, how good it is, what it is for."""
    options = Train.from_text(stored.params)
    return "\n\n".join(
        [
            f"**{options.model}**, trained by run `{stored.run_id}` on the data "
            f"`{stored.tags.get(names.TAG_DATA_DIGEST, 'unknown')}`.",
            f"### Scores\n{_scores(stored)}",
            f"### Test images by class\n{_classes(stored)}",
            f"### Intended use\n{_USE}",
            f"### Limits\n{_LIMITS}",
            f"### Configuration\n{_inline(options.fingerprint_fields())}",
            f"### Gates\n{gates_table(gates)}",
        ]
    )


def _answers(stored: StoredModel, name: str) -> Answers | None:
    if name not in stored.files:
        return None
    try:
        return Answers(*tables.read_predictions(stored.files[name]))
    except (KeyError, ValueError, OSError) as error:
        raise WorkFailed(f"{stored.label}: its {name} is damaged: {error}; train again") from error


def _scores(stored: StoredModel) -> str:
    rows: list[tuple[str, ...]] = []
    for title, name in (
        ("accuracy, validation rows", names.PREDICTIONS_VALIDATION),
        ("accuracy, test images", names.PREDICTIONS_TEST),
    ):
        if answers := _answers(stored, name):
            rows.append((title, *_accuracy(answers.given)))
    rows += [(n, f"{stored.metrics[n]:,.6g}", "") for n in _SCORES if n in stored.metrics]
    return _table(("score", "value", "95 % interval (Wilson)"), rows)


def _accuracy(given: Evaluation) -> tuple[str, str]:
    right, total = int((given.predicted == given.labels).sum()), len(given.labels)
    low, high = wilson_interval(right, total)
    return f"{right / total:.4f} ({right:,} of {total:,})", f"{low:.4f} to {high:.4f}"


def _classes(stored: StoredModel) -> str:
    if names.TABLE_PER_CLASS not in stored.files:
        return "Not stored."
    table = pd.read_csv(BytesIO(stored.files[names.TABLE_PER_CLASS]))
    shown = table[["class", "precision", "recall", "f1", "support"]]
    rows = [
        (str(name), f"{p:.3f}", f"{r:.3f}", f"{f:.3f}", f"{n:,}")
        for name, p, r, f, n in shown.itertuples(index=False)
    ]
    return _table(("class", "precision", "recall", "F1", "images"), rows)


def _inline(values: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in values.items())


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
