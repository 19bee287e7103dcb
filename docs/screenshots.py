# /// script
# dependencies = ["playwright==1.65.2", "pillow==13.0.0"]
# ///
"""Take the screenshots of the README from a finished study, with an installed Chromium.

    mlflow run . --env-manager local -P output_dir=study
    mlflow ui &
    uv run --no-project docs/screenshots.py study/comparison.html

Each image is a PNG of 256 colors, below 200 KB.
"""

import argparse
import io
import shutil
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

DOCS: Final = Path(__file__).parent
MAX_BYTES: Final = 200_000
# One of the saved views of MLflow 3.17 (fmnist/tracking/views.py).
VIEW: Final = "viewStateShareKey=fmnist-accuracy"


def take_runs_table(browser: Browser, server: str, experiment: str) -> bytes:
    """Screenshot of the `train` runs of an experiment, with their accuracy."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.add_init_script("localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false')")
    page.add_init_script(
        "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
    )
    page.goto(f"{server}/#/experiments/{experiment}/runs?workflowType=machine_learning&{VIEW}")
    page.get_by_text("matching runs").wait_for()
    page.wait_for_timeout(3000)  # the table is drawn in steps
    return page.screenshot()


def take_comparison(browser: Browser, path: Path) -> bytes:
    """Screenshot of the first screen of a comparison page."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(path.resolve().as_uri())
    return page.screenshot()


def save(name: str, png: bytes) -> None:
    """Save a screenshot in this directory with a palette of 256 colors."""
    path = DOCS / name
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(256)
    image.save(path, optimize=True)
    if path.stat().st_size > MAX_BYTES:
        raise SystemExit(f"{path}: expected at most {MAX_BYTES} bytes, got {path.stat().st_size}")
    print(path, path.stat().st_size, "bytes")


def main() -> None:
    """Take all screenshots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path, help="comparison.html of the study")
    parser.add_argument("--server", default="http://127.0.0.1:5000", help="address of `mlflow ui`")
    parser.add_argument("--experiment", default="0", help="id of the experiment")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("expected Chromium or Chrome on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        save("runs.png", take_runs_table(browser, arguments.server, arguments.experiment))
        save("comparison.png", take_comparison(browser, arguments.page))
        browser.close()


if __name__ == "__main__":
    main()
