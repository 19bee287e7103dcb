"""The comparison as one self-contained HTML page without scripts."""

import base64
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fmnist import names
from fmnist.comparison import phrases
from fmnist.comparison.findings import find_all
from fmnist.comparison.headline import write_headline
from fmnist.comparison.labels import describe_setting
from fmnist.comparison.results import ComparedModel, Comparison
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
    return environment.get_template("comparison.html.jinja").render(
        comparison=comparison,
        headline=write_headline(comparison),
        findings=find_all(comparison),
        shared=[describe_setting(name, value) for name, value in comparison.shared.items()],
        images={name: _read_image(content) for name, content in figures.items()},
        epoch_seconds=_compute_epoch_seconds,
        show_accuracy=_show_accuracy,
        show_seconds=_show_seconds,
        show_points=_show_points,
        names=names,
        format=formatting,
        phrases=phrases,
    )


def _read_image(content: bytes) -> Image:
    # A PNG header: 8 bytes of signature, 4 of length, "IHDR", then width and height.
    width, height = struct.unpack(">II", content[16:24])
    return Image(f"data:image/png;base64,{base64.b64encode(content).decode()}", width, height)


def _show_accuracy(model: ComparedModel) -> str:
    """`88.49 ± 0.21 %`; one seed has no standard deviation."""
    if model.accuracy.seeds == 1:
        return formatting.format_percent(model.accuracy.mean)
    return formatting.format_mean_std(model.accuracy.mean, model.accuracy.std)


def _show_seconds(duration: float | None) -> str:
    """A number without unit: `4.2`, `1,234`."""
    if duration is None:
        return formatting.MISSING
    return f"{duration:.1f}" if duration < 100 else f"{duration:,.0f}"


def _show_points(difference: float | None) -> str:
    return formatting.MISSING if difference is None else f"{100 * difference:.2f}"


def _compute_epoch_seconds(model: ComparedModel) -> float:
    """The median, because the first epoch includes compilation."""
    return median(
        seconds for run in model.runs for seconds in run.history.column(names.EPOCH_SECONDS)
    )


def _keep_units(sentence: str) -> str:
    """Replace the space between a number and its unit, so that no line breaks there."""
    return _BEFORE_UNITS.sub("\N{NO-BREAK SPACE}", sentence)


def _web_link(link: str | None) -> str | None:
    """The link if it leads to a server; other schemes are not rendered as links."""
    return link if link and link.startswith(("http://", "https://")) else None
