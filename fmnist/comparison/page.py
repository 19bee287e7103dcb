"""The comparison as one self-contained HTML page without scripts."""

import base64
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fmnist import names
from fmnist.comparison import phrases
from fmnist.comparison.results import ComparedModel, Comparison, Finding
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
    topics: dict[str, list[Finding]] = {}
    for finding in comparison.findings:
        topics.setdefault(finding.topic, []).append(finding)
    return environment.get_template("comparison.html.jinja").render(
        comparison=comparison,
        answers=topics.pop("answer", []),
        topics=topics,
        images={name: _read_image(content) for name, content in figures.items()},
        best_f1=_find_best_f1(comparison),
        significance_level=SIGNIFICANCE_LEVEL,
        epoch_seconds=_compute_epoch_seconds,
        names=names,
        format=formatting,
        phrases=phrases,
    )


def _read_image(content: bytes) -> Image:
    # A PNG header: 8 bytes of signature, 4 of length, "IHDR", then width and height.
    width, height = struct.unpack(">II", content[16:24])
    return Image(f"data:image/png;base64,{base64.b64encode(content).decode()}", width, height)


def _find_best_f1(comparison: Comparison) -> list[float]:
    """The highest F1 of each class, rounded as it is shown."""
    return [
        max(round(score.f1, 3) for score in scores)
        for scores in zip(*(model.per_class for model in comparison.models), strict=True)
    ]


def _compute_epoch_seconds(model: ComparedModel) -> float:
    """The median, because the first epoch includes compilation."""
    durations = sorted(model.run.history.column(names.EPOCH_SECONDS))
    return durations[len(durations) // 2]


def _keep_units(sentence: str) -> str:
    """Replace the space between a number and its unit, so that no line breaks there."""
    return _BEFORE_UNITS.sub("\N{NO-BREAK SPACE}", sentence)


def _web_link(link: str | None) -> str | None:
    """The link if it leads to a server; other schemes are not rendered as links."""
    return link if link and link.startswith(("http://", "https://")) else None
