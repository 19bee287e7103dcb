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
from fmnist.comparison.findings import find_all
from fmnist.comparison.headline import write_headline
from fmnist.comparison.labels import describe_setting
from fmnist.comparison.page_tables import create_tables
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
        tables=create_tables(comparison),
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
