"""A comparison as one page that can be sent to a colleague: no other file, no script."""

import base64
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fmnist import names
from fmnist.comparison.captions import Caption, captions
from fmnist.comparison.finalists import headline
from fmnist.comparison.results import ComparedModel, Comparison, CrossvalPair, Finding, Pair
from fmnist.evaluation.statistics import SIGNIFICANCE_LEVEL
from fmnist.plots import formatting as wording

_TEMPLATES: Final = Path(__file__).parent / "templates"

_BEFORE_UNITS: Final = re.compile(
    r"(?<=\d) (?=(?:%|s|ms|min|h|kB|MB|GB)(?!\w))|(?<=\bp) (?=[=<])|(?<=p [=<]) "
)


class Picture(NamedTuple):
    """A figure of the page: its words, its file as a data URI, and its size in pixels."""

    anchor: str
    caption: Caption
    source: str
    width: int
    height: int


def page(comparison: Comparison, figures: Mapping[str, bytes]) -> str:
    """The page; the same comparison and figures give the same text.

    Args:
        figures: PNG files by artifact name; names that are no figure of a comparison are left out.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        names=names, wording=wording, epoch_seconds=_epoch_seconds, verdict=verdict
    )
    environment.filters.update(web=_web, tied=_tied)
    words = captions(comparison)
    models = len(comparison.compared_models)
    return environment.get_template("comparison.html.jinja").render(
        comparison=comparison,
        title=f"Fashion-MNIST: {models} models compared"
        if models > 1
        else "Fashion-MNIST: 1 model",
        headline=headline(comparison),
        rows=len(comparison.compared_models[0].run.rows),
        pictures=[_picture(n, words[n], figures[n]) for n in words if n in figures],
        topics=_topics(comparison),
        best_f1=_best_f1(comparison),
        significant=SIGNIFICANCE_LEVEL,
    )


def _picture(name: str, caption: Caption, content: bytes) -> Picture:
    # A PNG's header: 8 bytes of signature, 4 of length, "IHDR", then width and height.
    width, height = struct.unpack(">II", content[16:24])
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return Picture(Path(name).stem, caption, source, width, height)


def _topics(comparison: Comparison) -> dict[str, list[Finding]]:
    """The findings by topic, in the order in which topics first occur."""
    topics: dict[str, list[Finding]] = {}
    for finding in comparison.findings:
        heading = finding.topic[:1].upper() + finding.topic[1:]
        topics.setdefault(heading, []).append(finding)
    return topics


def _best_f1(comparison: Comparison) -> list[float]:
    """The highest F1 of each class, rounded as it is shown."""
    return [
        max(round(score.f1, 3) for score in scores)
        for scores in zip(*(c.per_class for c in comparison.compared_models), strict=True)
    ]


def _epoch_seconds(compared_model: ComparedModel) -> float | None:
    """The median epoch: the first one also compiles."""
    history = compared_model.run.history
    if names.EPOCH_SECONDS not in history.metrics:
        return None
    return sorted(history.column(names.EPOCH_SECONDS))[history.epochs // 2]


def _tied(text: str) -> str:
    """The text with its numbers tied to their units, so that no line ends between them."""
    return _BEFORE_UNITS.sub("\N{NO-BREAK SPACE}", text)


def _web(link: str | None) -> str | None:
    """The link, if it is one that a browser follows to a server."""
    return link if link and link.startswith(("http://", "https://")) else None


def verdict(pair: Pair | CrossvalPair) -> str:
    """The result of the corrected test in words."""
    if pair.p_holm >= SIGNIFICANCE_LEVEL or pair.difference == 0:
        return "no significant difference"
    return f"{pair.first if pair.difference > 0 else pair.second} is more accurate"
