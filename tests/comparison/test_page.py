"""The page shows the numbers of the comparison, escapes text and is reproducible."""

import base64
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from matplotlib.figure import Figure

from fmnist import names
from fmnist.comparison.findings import find_all
from fmnist.comparison.headline import write_headline
from fmnist.comparison.page import render_page
from fmnist.comparison.report import FILES
from fmnist.comparison.results import Comparison
from fmnist.options import Train
from fmnist.plots.formatting import MISSING
from fmnist.plots.style import to_png
from tests.helpers.comparisons import compare, compare_four, compare_many, run, with_labels
from tests.helpers.logged_runs import CLASS_NAMES

HOSTILE = "<script>alert('1')</script> & \"quoted\" {{ 7 * 7 }}"
VOID_TAGS = {"meta", "br", "img"}
FIGURES = [name for name in FILES if name.startswith("figures/")]


class Outline(HTMLParser):
    """The elements in document order, as (tag, attributes, text)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID_TAGS:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for index in self._open:
            self.elements[index][2].append(data)

    def texts(self, tag: str) -> list[str]:
        return [" ".join("".join(t).split()) for name, _, t in self.elements if name == tag]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.elements if name == tag]


@pytest.fixture(scope="module")
def png() -> bytes:
    return to_png(Figure(figsize=(4, 3), dpi=100))


@pytest.fixture(scope="module")
def figures(png: bytes) -> dict[str, bytes]:
    return dict.fromkeys(FIGURES, png)


def table(comparison: Comparison, anchor: str) -> list[list[str]]:
    """The cells of the first table after the element with this id, row by row."""
    text = render_page(comparison, {}).split(f'id="{anchor}">')[1].split("</table>")[0]
    rows = text.split("<tbody>")[1].split("</tr>")[:-1]
    outlines = [Outline(row + "</tr>") for row in rows]
    return [outline.texts("th") + outline.texts("td") for outline in outlines]


def test_the_tables_of_models() -> None:
    comparison = compare_four(rows=4000)
    row = table(comparison, "results")[2]
    lenet = comparison.models[2]
    assert row[0] == "lenet5 from scratch"
    assert row[1] == f"{100 * (lenet.validation_accuracy or 0):.2f} %"
    assert row[2] == "88.50 ± 0.50 %"
    assert row[3] == f"{100 * lenet.accuracy.low:.2f} to {100 * lenet.accuracy.high:.2f} %"
    assert row[4:] == ["3", "44,426", "23.5"]
    assert table(comparison, "results")[3][0] == "resnet50 (random weights) random features"
    more = table(comparison, "scores")[2]
    assert more[3:] == [
        "88.40 ± 0.36 %", "44,426", MISSING, "23.5 s", "2.0 s", "0.041 ms", "198 kB",
    ]  # fmt: skip
    runs = table(comparison, "runs")
    assert [each[1] for each in runs] == ["0", "1", "2"] * 4
    assert runs[6][3] == "88.00 %"


def test_missing_values_are_dashes() -> None:
    comparison = compare(run(Train(), 180), run(Train(dropout=0.1)))
    row = table(comparison, "results")[0]
    assert row[2] == "90.00 %"  # without a standard deviation, because there is one seed
    assert row[4:] == ["1", MISSING, MISSING]
    pair = table(comparison, "pairs")[0]
    assert "these trained models only" in pair[4]
    assert pair[5:] == [MISSING] * 3


def test_the_table_of_pairs() -> None:
    comparison = compare_four(rows=4000)
    results = {True: "first is better", False: "not significant"}
    assert [(row[0], row[4]) for row in table(comparison, "pairs")] == [
        (f"{pair.first} and {pair.second}", results[pair.is_significant])
        for pair in comparison.pairs
    ]
    assert {pair.is_significant for pair in comparison.pairs} == {True, False}


def test_the_order_of_the_page(figures: dict[str, bytes]) -> None:
    comparison = compare_four()
    page = render_page(comparison, figures)
    outline = Outline(page)
    assert outline.texts("h1") == [write_headline(comparison)]
    assert outline.texts("h2") == [
        "Results", "Accuracy by epoch", "Accuracy and cost", "Pairs of models", "Findings",
        "Where vgg16 (hed weights) and lenet5 dropout 0.4 disagree", "More numbers",
        "Excluded runs", "Methods",
    ]  # fmt: skip
    content = " ".join(outline.texts("body"))
    assert "ranked and chosen by mean validation accuracy; test accuracy is only" in content
    shared = "All models: all training rows, 10 epochs, batch size 128, learning rate 0.001"
    assert content.count(shared) == 1
    summaries = outline.texts("summary")
    for finding in find_all(comparison):
        assert finding.sentence in summaries
        assert finding.evidence in content
    for excluded in comparison.excluded:
        assert f"{excluded.run_id}: {excluded.reason}" in content
    assert comparison.data_digest in content
    # The data may be another one than Fashion-MNIST.
    assert not re.search("fashion|shirt", page, re.IGNORECASE)
    assert render_page(comparison, dict(reversed(figures.items()))) == page


@pytest.mark.parametrize(
    ("link", "links"),
    [("http://localhost:5000/#/runs/1", 1), (None, 0), ("javascript:alert(1)", 0), ("/path", 0)],
)
def test_only_web_links_are_rendered(link: str | None, links: int) -> None:
    comparison = compare(run(Train(), 180, link=link), run(Train(dropout=0.1)))
    anchors = Outline(render_page(comparison, {})).attributes("a")
    assert [anchor["href"] for anchor in anchors] == [link] * links


def test_figures_are_embedded(figures: dict[str, bytes], png: bytes) -> None:
    comparison = compare_four()
    outline = Outline(render_page(comparison, figures | {"figures/other.png": png}))
    images = outline.attributes("img")
    assert len(images) == len(outline.texts("figcaption")) == len(FIGURES) == 6
    for image in images:
        header, content = str(image["src"]).split(",")
        assert header == "data:image/png;base64"
        assert base64.b64decode(content) == png
        assert (image["width"], image["height"]) == ("400", "300")
        assert "lenet5" in str(image["alt"])
    assert not Outline(render_page(comparison, {})).attributes("img")
    without_images = {name: png for name in figures if name != names.FIGURE_DISAGREEMENTS}
    assert len(Outline(render_page(comparison, without_images)).attributes("img")) == 5


def test_the_structure_is_accessible(figures: dict[str, bytes]) -> None:
    outline = Outline(render_page(compare_many(), figures))
    levels = [int(tag[1]) for tag, _, _ in outline.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(cell["scope"] in ("col", "row") for cell in outline.attributes("th"))
    ids = Counter(a["id"] for _, a, _ in outline.elements if "id" in a)
    assert set(ids.values()) == {1}
    references = {a["aria-labelledby"] for _, a, _ in outline.elements if "aria-labelledby" in a}
    assert references <= set(ids)
    assert "script" not in {tag for tag, _, _ in outline.elements}


def test_text_is_escaped(figures: dict[str, bytes]) -> None:
    innocent = compare_four(link="https://x.example")
    comparison = compare_four(
        link='https://x"onload="1',
        class_names=(HOSTILE, *CLASS_NAMES[1:]),
        tags={names.TAG_DATA_DIGEST: HOSTILE},
    )
    comparison = with_labels(comparison, [f"{HOSTILE} {n}" for n in range(4)])
    excluded = tuple(replace(run, name=HOSTILE, reason=HOSTILE) for run in comparison.excluded)
    comparison = replace(comparison, excluded=excluded)
    hostile = Outline(render_page(comparison, figures))
    expected = Outline(render_page(innocent, figures))
    assert [tag for tag, _, _ in hostile.elements] == [tag for tag, _, _ in expected.elements]
    assert [list(a) for _, a, _ in hostile.elements] == [list(a) for _, a, _ in expected.elements]
    assert f"{HOSTILE} 0 transfer learning" in hostile.texts("th")
    assert HOSTILE in hostile.texts("code")
