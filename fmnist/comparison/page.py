"""The comparison as one self-contained HTML page without scripts."""

import base64
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fmnist import names
from fmnist.comparison import phrases
from fmnist.comparison.findings import find_all
from fmnist.comparison.headline import write_headline
from fmnist.comparison.labels import describe_setting
from fmnist.comparison.models import ComparedModel
from fmnist.comparison.pairs import AccuracyPair, ModelPair
from fmnist.comparison.results import Comparison
from fmnist.evaluation.statistics import SIGNIFICANCE_LEVEL
from fmnist.plots import formatting

_TEMPLATES: Final = Path(__file__).parent / "templates"

_BEFORE_UNITS: Final = re.compile(
    r"(?<=\d) (?=(?:%|s|ms|min|h|kB|MB|GB)(?!\w))|(?<=\bp) (?=[=<])|(?<=p [=<]) "
)


class Image(NamedTuple):
    """A figure as a data URI, and its size in pixels."""

    source: str
    width: int
    height: int


class Cell(NamedTuple):
    """A text, a note in small letters, and the address of a run."""

    text: str
    note: str = ""
    link: str | None = None


class Table(NamedTuple):
    """Cells of the header and of each row."""

    columns: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]


def render_page(comparison: Comparison, figures: Mapping[str, bytes]) -> str:
    """The page; equal arguments give the same text.

    Args:
        figures: PNG files by artifact name; unknown names are ignored.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(web_link=_web_link, keep_units=_keep_units)
    return environment.get_template("comparison.html.jinja").render(
        comparison=comparison,
        headline=write_headline(comparison),
        findings=find_all(comparison),
        shared=[describe_setting(name, value) for name, value in comparison.shared.items()],
        images={name: _read_image(content) for name, content in figures.items()},
        tables=_create_tables(comparison),
        significance_level=SIGNIFICANCE_LEVEL,
        names=names,
        format=formatting,
        phrases=phrases,
    )


def _read_image(content: bytes) -> Image:
    # A PNG header: 8 bytes of signature, 4 of length, "IHDR", then width and height.
    width, height = struct.unpack(">II", content[16:24])
    return Image(f"data:image/png;base64,{base64.b64encode(content).decode()}", width, height)


def _keep_units(sentence: str) -> str:
    """Replace the space between a number and its unit, so that no line breaks there."""
    return _BEFORE_UNITS.sub("\N{NO-BREAK SPACE}", sentence)


def _web_link(link: str | None) -> str | None:
    """The link if it leads to a server; other schemes are not rendered as links."""
    return link if link and link.startswith(("http://", "https://")) else None


def _create_tables(comparison: Comparison) -> Mapping[str, Table]:
    """The tables by the id of their headings."""
    models = comparison.models
    return {
        "results": _create(
            "Model, Validation|mean, Test accuracy|mean ± std, 95 % interval, Seeds, Parameters, "
            "Seconds",
            [_list_results(model) for model in models],
        ),
        "pairs": _create(
            "Models, Difference|points, 95 % interval, p-value|Holm, Result, "
            "First wins|probability, Detectable|points, Seeds needed",
            [
                [
                    *_list_pair(pair),
                    phrases.probability(pair.probability_first_better),
                    _format_points(pair.detectable_difference),
                    formatting.format_count(pair.seeds_needed),
                ]
                for pair in comparison.pairs
            ],
        ),
        "crossval-pairs": _create(
            "Models, Difference|points, 95 % interval, p-value|Holm, Result",
            [_list_pair(pair) for pair in comparison.crossval_pairs],
        ),
        "scores": _create(
            "Model, Macro F1, Calibration error, Cross-validation|mean ± std of folds, "
            "Trainable|parameters, Features, Fit, Epoch|median, Prediction|per image, Model file",
            [_list_scores(model) for model in models],
        ),
        "classes": Table(
            [Cell("Model"), *map(Cell, comparison.class_names)],
            [
                [Cell(m.label), *(Cell(formatting.format_score(f1)) for f1 in m.f1_by_class)]
                for m in models
            ],
        ),
        "runs": _create(
            "Model, Seed, Validation accuracy, Test accuracy, Run",
            [
                [
                    model.label,
                    str(run.options.seed),
                    formatting.format_percent(run.at_epoch(names.VAL_ACCURACY)),
                    formatting.format_percent(float(correct.mean())),
                    Cell(run.record.name, run.record.run_id, run.record.link),
                ]
                for model in models
                for run, correct in zip(model.runs, model.correct, strict=True)
            ],
        ),
    }


def _create(columns: str, rows: Sequence[Sequence[str | Cell]]) -> Table:
    """A table with columns `TEXT|NOTE`, separated by commas."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    return Table([Cell(*column.split("|")) for column in columns.split(", ")], cells)


def _list_results(model: ComparedModel) -> list[str | Cell]:
    accuracy = model.accuracy
    return [
        Cell(model.label, model.kind),
        formatting.format_percent(model.validation_accuracy),
        formatting.format_mean_std(accuracy.mean, accuracy.std),
        formatting.format_percent_range(accuracy.low, accuracy.high),
        str(accuracy.seeds),
        formatting.format_count(model.metric(names.PARAMETERS_TOTAL)),
        _format_seconds(model.training_seconds),
    ]


def _list_pair(pair: ModelPair) -> list[str | Cell]:
    is_limited = isinstance(pair, AccuracyPair) and not pair.is_valid_for_new_seeds
    result = "first is better" if pair.difference > 0 else "second is better"
    if not pair.is_significant or pair.difference == 0:
        result = "not significant"
    return [
        f"{pair.first} and {pair.second}",
        formatting.format_points(pair.difference),
        formatting.format_points_range(pair.low, pair.high),
        formatting.format_p_value(pair.p_holm),
        Cell(result, "these trained models only" if is_limited else ""),
    ]


def _list_scores(model: ComparedModel) -> list[str | Cell]:
    folds = model.crossval.record if model.crossval else None
    metrics = folds.metrics if folds else {}
    mean, std = (
        metrics.get(name) for name in (names.CV_VAL_ACCURACY_MEAN, names.CV_VAL_ACCURACY_STD)
    )
    # The median, because the first epoch includes compilation.
    epochs = [seconds for run in model.runs for seconds in run.history.column(names.EPOCH_SECONDS)]
    return [
        model.label,
        formatting.format_score(model.macro_f1),
        formatting.format_score(model.calibration_error),
        Cell(formatting.format_mean_std(mean, std), link=folds.link if folds else None),
        formatting.format_count(model.metric(names.PARAMETERS_TRAINABLE)),
        formatting.format_seconds(model.feature_seconds),
        formatting.format_seconds(model.metric(names.FIT_SECONDS)),
        formatting.format_seconds(median(epochs)),
        formatting.format_milliseconds(model.metric(names.PREDICT_MS_PER_IMAGE)),
        formatting.format_bytes(model.metric(names.MODEL_BYTES)),
    ]


def _format_seconds(duration: float | None) -> str:
    """A number without unit: `4.2`, `1,234`."""
    if duration is None:
        return formatting.MISSING
    return f"{duration:.1f}" if duration < 100 else f"{duration:,.0f}"


def _format_points(difference: float | None) -> str:
    return formatting.MISSING if difference is None else f"{100 * difference:.2f}"
