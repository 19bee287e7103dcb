"""The page of a comparison tells its numbers, escapes its words and is the same each time."""

import base64
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from fmnist import names
from fmnist.comparison import plots_per_class
from fmnist.comparison.captions import captions
from fmnist.comparison.page import page
from fmnist.comparison.results import Comparison, Finding
from fmnist.plots.formatting import MISSING
from fmnist.plots.style import to_png
from tests.helpers.sample_comparisons import FOUR, LENET, TEN, VGG, compared

HOSTILE = "<script>alert('1')</script> & \"quoted\" {{ 7 * 7 }}"
VOID = {"meta", "br", "img"}


class Outline(HTMLParser):
    """Elements in order as (tag, attributes, text within)."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[int] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(len(self.found) - 1)

    def handle_endtag(self, tag: str) -> None:
        assert self.found[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        for place in self._open:
            self.found[place][2].append(data)

    def texts(self, tag: str) -> list[str]:
        return [" ".join("".join(t).split()) for name, _, t in self.found if name == tag]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.found if name == tag]


@pytest.fixture(scope="module")
def picture() -> bytes:
    return to_png(
        plots_per_class.f1(
            {"lenet5": compared([LENET]).compared_models[0].per_class}, list("0123456789")
        )
    )


@pytest.fixture(scope="module")
def figures(picture: bytes) -> dict[str, bytes]:
    return dict.fromkeys(captions(compared(FOUR)), picture)


def cells(comparison: Comparison, row: int) -> list[str]:
    """Of the table of models, one row."""
    text = page(comparison, {})
    body = text.split("<tbody>")[1].split("</tbody>")[0].split("</tr>")[row]
    outline = Outline(body + "</tr>")
    return outline.texts("th") + outline.texts("td")


def test_a_model_is_told_in_full() -> None:
    comparison = compared(FOUR, rows=4000)

    assert cells(comparison, 1) == [
        "lenet5", "88.00 % 86.96 to 88.97 %", "0.839", "0.213", "88.40 ± 0.36 %", "44,426 44,426",
        MISSING, "23.5 s", "2.3 s", "0.041 ms", "198 kB",
    ]  # fmt: skip
    assert cells(comparison, 2)[5:8] == ["14,848,586 133,898", "8 min 2 s", "12.3 s"]
    assert cells(comparison, 3)[6] == "7 min 30 s"


def test_what_was_not_measured_is_a_dash() -> None:
    logged = (
        names.PARAMETERS_TOTAL, names.PARAMETERS_TRAINABLE, names.FIT_SECONDS,
        names.PREDICT_MS_PER_IMAGE, names.MODEL_BYTES,
    )  # fmt: skip
    comparison = compared([replace(VGG, without=logged, feature_seconds=None)])

    assert cells(comparison, 0)[4:8] == [MISSING, f"{MISSING} {MISSING}", MISSING, MISSING]
    assert cells(comparison, 0)[9:] == [MISSING, MISSING]


def test_pairs_are_told_with_their_test_and_in_words() -> None:
    comparison = compared(FOUR, rows=4000)
    table = page(comparison, {}).split('<h2 id="pairs">')[1].split("</table>")[0] + "</table>"
    rows = [Outline(row + "</tr>") for row in table.split("<tbody>")[1].split("</tr>")[:-1]]

    assert len(rows) == 6
    assert rows[0].texts("th") + rows[0].texts("td") == [
        "lenet5, dropout 0.4 against lenet5", "no significant difference",
        "+0.30 \N{MINUS SIGN}0.28 to +0.88", "75", "63",
        "0.35 McNemar, chi-squared with continuity correction", "1.00",
    ]  # fmt: skip
    assert rows[-1].texts("td")[0] == f"{VGG.label} is more accurate"


def test_the_answer_and_the_findings_come_first() -> None:
    comparison = compared(FOUR)
    text = page(comparison, {})
    outline = Outline(text)

    assert outline.texts("h2")[:2] == ["Findings", "Models"]
    said = " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())
    assert 0 < said.index("88.2 % of 400 test images") < said.index("best_epoch 9")
    for finding in comparison.findings:
        assert finding.sentence in said
        assert finding.evidence in said
    for run in comparison.left_out:
        assert f"{run.run_id}</code>: {run.reason}" in said
    assert comparison.data_digest in said


def test_findings_of_one_topic_stand_together() -> None:
    told = [Finding(topic, topic.upper(), "0") for topic in ("cost", "LeNet-5", "cost")]
    outline = Outline(page(replace(compared(FOUR), findings=tuple(told)), {}))

    assert outline.texts("h3")[:2] == ["Cost", "LeNet-5"]
    assert outline.texts("p")[1:4] == ["COST0", "COST0", "LENET-50"]


def test_names_lead_to_runs_on_a_server_and_nowhere_else() -> None:
    links = ["http://localhost:5000/#/runs/1", None, "javascript:alert(1)", "/local/path"]
    models = [
        replace(made, link=link, cross_validated=False)
        for made, link in zip(FOUR, links, strict=True)
    ]
    found = Outline(page(replace(compared(models), left_out=()), {})).attributes("a")

    assert [link["href"] for link in found] == ["http://localhost:5000/#/runs/1"]


def test_the_best_of_each_class_is_in_bold() -> None:
    comparison = compared(FOUR, rows=4000)
    table = page(comparison, {}).split('<h2 id="classes">')[1].split("</table>")[0]
    rows = [row.split("<td>")[1:] for row in table.split("<tbody>")[1].split("</tr>")[:-1]]

    for column in range(10):
        shown = [float(re.sub(r"<[^>]*>", "", row[column])) for row in rows]
        bold = ["<strong>" in row[column] for row in rows]
        assert bold == [value == max(shown) for value in shown]


def test_figures_are_inlined_with_words_and_size(figures: dict[str, bytes], picture: bytes) -> None:
    comparison = compared(FOUR)
    outline = Outline(page(comparison, figures | {"figures/other.png": picture}))

    images = outline.attributes("img")
    assert len(images) == len(captions(comparison)) == 6
    for image in images:
        header, content = str(image["src"]).split(",")
        assert header == "data:image/png;base64"
        assert base64.b64decode(content) == picture
        assert (image["width"], image["height"]) == ("1200", "810")
        assert len(str(image["alt"])) > 40
    assert outline.texts("figcaption") == [c.reading for c in captions(comparison).values()]
    assert not Outline(page(comparison, {})).attributes("img")


def test_the_structure_is_sound(figures: dict[str, bytes]) -> None:
    outline = Outline(page(compared(TEN), figures))

    levels = [int(tag[1]) for tag, _, _ in outline.found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(cell["scope"] in ("col", "row") for cell in outline.attributes("th"))
    ids = Counter(a["id"] for _, a, _ in outline.found if "id" in a)
    assert set(ids.values()) == {1}
    referred = {a["aria-labeledby"] for _, a, _ in outline.found if "aria-labeledby" in a}
    assert referred <= set(ids)
    assert "script" not in {tag for tag, _, _ in outline.found}


def test_hostile_words_stay_words(figures: dict[str, bytes]) -> None:
    innocent = compared([replace(made, link="https://x.example") for made in FOUR])
    models = [replace(m, label=f"{HOSTILE} {m.alike}", link='https://x"onload="1') for m in FOUR]
    comparison = compared(models)
    comparison = replace(
        comparison,
        class_names=(HOSTILE, *comparison.class_names[1:]),
        left_out=tuple(replace(run, name=HOSTILE, reason=HOSTILE) for run in comparison.left_out),
        findings=tuple(Finding(HOSTILE, HOSTILE, HOSTILE) for _ in comparison.findings),
        pairs=tuple(replace(pair, test=HOSTILE) for pair in comparison.pairs),
        data_digest=HOSTILE,
    )
    text = page(comparison, figures)

    hostile, kind = Outline(text), Outline(page(innocent, figures))
    tags = {tag for tag, _, _ in hostile.found}
    assert tags == {tag for tag, _, _ in kind.found}
    assert {key for _, a, _ in hostile.found for key in a} == {
        key for _, a, _ in kind.found for key in a
    }
    assert f"{HOSTILE} 0" in hostile.texts("th")
    assert HOSTILE in hostile.texts("code")


def test_the_same_comparison_gives_the_same_page(figures: dict[str, bytes]) -> None:
    assert page(compared(FOUR), figures) == page(compared(FOUR), dict(reversed(figures.items())))


def test_one_model_and_nothing_else_is_a_page() -> None:
    alone = replace(compared([LENET]), findings=(), left_out=())
    outline = Outline(page(alone, {}))

    assert outline.texts("h2") == ["Models", "Class by class", "How the numbers were worked out"]
    assert outline.texts("h1") == ["Fashion-MNIST: 1 model"]
