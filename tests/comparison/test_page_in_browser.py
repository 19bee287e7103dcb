"""The page in a browser: the first screen holds the results, everything fits the window, and text
has sufficient contrast.
"""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fmnist.comparison.page import render_page
from fmnist.comparison.plots import render_figures
from tests.helpers.comparisons import compare_four, compare_many, with_labels

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.slow,
]

SECONDS = 300
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--allow-file-access-from-files", "--enable-logging=stderr", "--virtual-time-budget=60000",
    "--hide-scrollbars", "--dump-dom",
]  # fmt: skip
WIDTHS = {"ten": 390, "long": 390, "four": 1280}

# Each page stands in a frame of its width; what the frames hold is measured when all are loaded.
# Contrast is WCAG 2.2's ratio of a text's color and the nearest opaque background behind it.
MEASURE = """
function light(color) {
  const [r, g, b] = color.match(/[0-9.]+/g).slice(0, 3).map(Number).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(view, element) {
  let behind = element;
  while (view.getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)')
    behind = behind.parentElement;
  const ink = view.getComputedStyle(element).color;
  const paper = view.getComputedStyle(behind).backgroundColor;
  const [dark, bright] = [ink, paper].map(light).sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}
function measure(frame) {
  const page = frame.contentDocument, view = frame.contentWindow, root = page.documentElement;
  const first = [...page.querySelectorAll('.first table, .first img')];
  const bottom = Math.max(...first.map(e => e.getBoundingClientRect().bottom));
  page.querySelectorAll('details').forEach(d => { d.open = true; });
  const all = [...page.body.querySelectorAll('*')];
  const spoken = all.filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return {
    width: root.clientWidth,
    needed: root.scrollWidth,
    outside: all.filter(e => !e.closest('.scroll'))
      .filter(e => e.getBoundingClientRect().right > root.clientWidth)
      .map(e => e.outerHTML.slice(0, 80)),
    first: [first.length, bottom],
    images: [...page.images].filter(i => !i.closest('.first'))
      .map(i => [i.naturalWidth, i.getBoundingClientRect().width]),
    contrast: Math.min(...spoken.map(e => contrast(view, e))),
    texts: spoken.length,
    focusable: page.querySelectorAll('[tabindex="0"], summary').length,
    dark: view.matchMedia('(prefers-color-scheme: dark)').matches,
    paper: view.getComputedStyle(page.body).backgroundColor,
    behind: [...page.images].map(i => view.getComputedStyle(i).backgroundColor),
  };
}
addEventListener('load', () => {
  const frames = [...document.querySelectorAll('iframe')];
  const found = Object.fromEntries(frames.map(f => [f.name, measure(f)]));
  document.querySelector('pre').textContent = JSON.stringify(found);
});
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages and, in frames of their widths, all of them in one."""
    folder = tmp_path_factory.mktemp("pages")
    unbroken = with_labels(compare_four(), [f"{n}{'unbroken' * 12}" for n in range(4)])
    images = np.zeros((400, 28, 28), np.uint8)
    frames = []
    comparisons = (compare_many(), unbroken, compare_four())
    for (name, width), comparison in zip(WIDTHS.items(), comparisons, strict=True):
        page = render_page(comparison, render_figures(comparison, images))
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
        frames.append(
            f'<iframe name="{name}" src="{name}.html" width="{width}" height="800"></iframe>'
        )
    (folder / "all.html").write_text(
        f"<!DOCTYPE html><pre></pre>{''.join(frames)}<script>{MEASURE}</script>"
    )
    return folder


def browse(folder: Path, *flags: str) -> dict:
    """What was measured of each page, after a look at what the browser complained of."""
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}",
         (folder / "all.html").as_uri()],
        capture_output=True, text=True, check=True, timeout=SECONDS,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    return json.loads(html.unescape(re.search("<pre>(.+?)</pre>", done.stdout, re.DOTALL)[1]))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_fit_and_can_be_read(folder: Path, dark: bool) -> None:
    found = browse(folder, f"--blink-settings=preferredColorScheme={0 if dark else 1}")

    assert set(found) == set(WIDTHS)
    elements, bottom = found["four"]["first"]
    assert elements == 2  # the table of results and one chart
    assert bottom <= 800
    for name, width in WIDTHS.items():
        seen = found[name]
        assert seen["width"] == width
        assert seen["needed"] <= width, name
        assert seen["outside"] == []
        assert len(seen["images"]) == 5
        assert all(natural > 0 and shown >= 600 for natural, shown in seen["images"])
        assert seen["texts"] > 100
        # 4.5 is the least contrast that WCAG 2.2 (1.4.3, AA) asks of text.
        assert seen["contrast"] >= 4.5
        assert seen["dark"] == dark
        assert seen["focusable"] >= 8
        assert (seen["paper"] == "rgb(255, 255, 255)") == (not dark)
        assert set(seen["behind"]) == {"rgb(255, 255, 255)"}
