"""A comparison as others see it: all its values, numbers to chart, files, a few sentences."""

from dataclasses import replace
from typing import Final

from fmnist import names
from fmnist.comparison import statistics
from fmnist.comparison.findings import findings
from fmnist.comparison.load import Gathered
from fmnist.comparison.results import ComparedModel, Comparison
from fmnist.comparison.rules_facts import Facts
from fmnist.comparison.rules_words import percent

# What a comparison may consist of.
FILES: Final = frozenset(
    {
        names.COMPARISON_PAGE,
        names.TABLE_COMPARISON,
        names.TABLE_COMPARISON_JSON,
        names.TABLE_PAIRWISE,
        names.TABLE_PAIRWISE_CROSSVAL,
        names.FIGURE_ACCURACY_BY_EPOCH,
        names.FIGURE_CONVERGENCE,
        names.FIGURE_ACCURACY_VS_COST,
        names.FIGURE_CONFUSION_DIFFERENCE,
        names.FIGURE_PER_CLASS_COMPARISON,
        names.FIGURE_DISAGREEMENTS,
    }
)

# MLflow takes tags of at most 8,000 characters.
_NOTE_LENGTH: Final = 7000


def comparison(gathered: Gathered, seed: int) -> Comparison:
    """What follows from the runs that were gathered; `seed` draws the intervals of differences."""
    compared_models = statistics.compared_models(gathered)
    found = Comparison(
        compared_models=compared_models,
        pairs=statistics.pairs(compared_models, seed),
        crossval_pairs=statistics.crossval_pairs(compared_models),
        left_out=gathered.left_out,
        findings=(),
        class_names=gathered.class_names,
        data_digest=gathered.data_digest,
    )
    return replace(found, findings=findings(Facts(found, gathered.near)))


def metrics(compared: Comparison) -> dict[str, float]:
    """What a user would filter or chart comparisons by."""
    return {
        names.COMPARED_MODELS: len(compared.compared_models),
        names.LEFT_OUT: len(compared.left_out),
        names.BEST_TEST_ACCURACY: compared.compared_models[0].accuracy,
    }


def note(compared: Comparison) -> str:
    """The findings, the models and what was left out, in Markdown; cut to what a tag holds."""
    answers = [each.sentence for each in compared.findings if each.topic == "answer"]
    others = [
        f"- *{each.topic}*: {each.sentence}" for each in compared.findings if each.topic != "answer"
    ]
    lines = [
        f"**{' '.join(answers)}**",
        "",
        "| compared_model | test accuracy | 95 % interval | macro F1 |",
        "| --- | --- | --- | --- |",
        *map(_row, compared.compared_models),
        "",
        *others,
        "",
        *(f"- left out: {each.name}: {each.reason}" for each in compared.left_out),
    ]
    return _cut(lines)


def _row(compared_model: ComparedModel) -> str:
    link = compared_model.run.link
    # A bar would end the cell; labels may hold one, in the name of a weights file.
    label = compared_model.label.replace("|", "\\|")
    return (
        f"| {f'[{label}]({link})' if link else label} | {percent(compared_model.accuracy)} | "
        f"{percent(compared_model.low)} to {percent(compared_model.high)} | "
        f"{compared_model.macro_f1:.4f} |"
    )


def _cut(lines: list[str]) -> str:
    kept: list[str] = []
    length = 0
    for line in lines:
        length += len(line) + 1
        if length > _NOTE_LENGTH:
            return "\n".join([*kept, "", f"More in {names.COMPARISON_PAGE}."])
        kept.append(line)
    return "\n".join(kept).rstrip()
