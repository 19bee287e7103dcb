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
from fmnist.comparison.page import render_page
from fmnist.comparison.report import FILES
from fmnist.comparison.results import Comparison, Finding
from fmnist.options import Train
from fmnist.plots.formatting import MISSING
from fmnist.plots.style import to_png
from tests.helpers.comparisons import compare, compare_four, compare_many, run, with_labels

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


def table(comparison: Comparison, section: str) -> list[list[str]]:
    """The cells of the first table of a section, row by row."""
    text = render_page(comparison, {}).split(f'<h2 id="{section}">')[1].split("</table>")[0]
    rows = text.split("<tbody>")[1].split("</tr>")[:-1]
    outlines = [Outline(row + "</tr>") for row in rows]
    return [outline.texts("th") + outline.texts("td") for outline in outlines]


def test_the_table_of_models() -> None:
    rows = table(compare_four(rows=4000), "models")
    assert rows[1][:2] == ["lenet5", "88.00 % 86.96 to 88.97 %"]
    assert rows[1][4:] == [
        "88.40 ± 0.36 %", "44,426 44,426", MISSING, "23.5 s", "2.0 s", "0.041 ms", "198 kB",
    ]  # fmt: skip
    assert rows[2][5:8] == ["14,848,586 133,898", "8 min 2 s", "12.3 s"]


def test_missing_values_are_dashes() -> None:
    row = table(compare(run(Train(), 180), run(Train(seed=1))), "models")[0]
    assert row[4:8] == [MISSING, f"{MISSING} {MISSING}", MISSING, MISSING]
    assert row[9:] == [MISSING, MISSING]


def test_the_table_of_pairs() -> None:
    comparison = compare_four(rows=4000)
    rows = table(comparison, "pairs")
    assert len(rows) == 6
    for row, pair in zip(rows, comparison.pairs, strict=True):
        assert row[0] == f"{pair.first} and {pair.second}"
        significant = f"{pair.first} is more accurate"
        assert row[1] == (significant if pair.is_significant else "no significant difference")
        assert row[3:5] == [str(pair.only_first), str(pair.only_second)]
    assert {pair.is_significant for pair in comparison.pairs} == {True, False}


def test_answer_and_findings_come_first() -> None:
    comparison = compare_four()
    text = render_page(comparison, {})
    outline = Outline(text)
    assert outline.texts("h2")[:2] == ["Findings", "Models"]
    answer, *others = comparison.findings
    content = " ".join(Outline(text).texts("body")).replace("\N{NO-BREAK SPACE}", " ")
    assert content.index(answer.sentence) < content.index("Findings")
    for finding in others:
        assert finding.sentence in content
        assert finding.evidence in content
    for excluded in comparison.excluded:
        assert f"{excluded.run_id}: {excluded.reason}" in content
    assert comparison.data_digest in content


def test_findings_are_grouped_by_topic() -> None:
    findings = tuple(Finding(topic, topic.upper(), "0") for topic in ("cost", "fit", "cost"))
    outline = Outline(render_page(replace(compare_four(), findings=findings), {}))
    assert outline.texts("h3")[:2] == ["Cost", "Fit"]
    assert outline.texts("p")[:3] == ["COST0", "COST0", "FIT0"]


@pytest.mark.parametrize(
    ("link", "links"),
    [("http://localhost:5000/#/runs/1", 1), (None, 0), ("javascript:alert(1)", 0), ("/path", 0)],
)
def test_only_web_links_are_rendered(link: str | None, links: int) -> None:
    comparison = compare(run(Train(), 180, link=link), run(Train(seed=1)))
    anchors = Outline(render_page(comparison, {})).attributes("a")
    assert [anchor["href"] for anchor in anchors] == [link] * links


def test_the_best_f1_of_each_class_is_bold() -> None:
    text = render_page(compare_four(rows=4000), {}).split('<h2 id="classes">')[1]
    rows = [row.split("<td>")[1:] for row in text.split("<tbody>")[1].split("</tr>")[:4]]
    for column in range(10):
        values = [float(re.sub(r"<[^>]*>", "", row[column])) for row in rows]
        bold = ["<strong>" in row[column] for row in rows]
        assert bold == [value == max(values) for value in values]


def test_figures_are_embedded(figures: dict[str, bytes], png: bytes) -> None:
    comparison = compare_four()
    outline = Outline(render_page(comparison, figures | {"figures/other.png": png}))
    images = outline.attributes("img")
    assert len(images) == len(outline.texts("figcaption")) == 6
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
    comparison = compare_four(link='https://x"onload="1')
    comparison = with_labels(comparison, [f"{HOSTILE} {n}" for n in range(4)])
    comparison = replace(
        comparison,
        class_names=(HOSTILE, *comparison.class_names[1:]),
        excluded=tuple(replace(run, name=HOSTILE, reason=HOSTILE) for run in comparison.excluded),
        findings=tuple(
            replace(finding, sentence=HOSTILE, evidence=HOSTILE) for finding in comparison.findings
        ),
        pairs=tuple(replace(pair, test=HOSTILE) for pair in comparison.pairs),
        data_digest=HOSTILE,
    )
    hostile = Outline(render_page(comparison, figures))
    expected = Outline(render_page(innocent, figures))
    assert [tag for tag, _, _ in hostile.elements] == [tag for tag, _, _ in expected.elements]
    assert [list(a) for _, a, _ in hostile.elements] == [list(a) for _, a, _ in expected.elements]
    assert f"{HOSTILE} 0" in hostile.texts("th")
    assert HOSTILE in hostile.texts("code")


def test_equal_arguments_give_the_same_page(figures: dict[str, bytes]) -> None:
    comparison = compare_four()
    reordered = dict(reversed(figures.items()))
    assert render_page(comparison, figures) == render_page(comparison, reordered)
