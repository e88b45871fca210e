"""Takes the screenshots of the README, of the sample and of its index: python docs/screenshots.py INDEX."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from playwright.sync_api import Page, sync_playwright

from engine.artifact.layout import REPORT_FILE
from engine.artifact.reader import Artifact
from engine.service.app import make_app
from engine.service.settings import ServiceSettings
from pipelines.synthetic.sample import sample_files

IMAGES = Path(__file__).resolve().parent / "images"
SERVED = {
    "reviewer": "/reviewer/A3ROS56ZKFSSN",
    "newcomer": "/newcomer?rate=B000000016%3D5&rate=B00D58TUF2%3D4",
    "movie": "/movie/B000000016",
    "map": "/map",
}
"""The page of the service that each screenshot shows, by the name of the file."""
WRITTEN = {
    "report": ("report.html", "Quality on held-out reviews"),
    "report-map": ("report.html", "Map of the movies"),
    "explored": ("explored.html", "Reviewers and movies"),
    "evaluated": ("evaluated.html", "Figures"),
}
"""The page that a command wrote and the section of the page that each screenshot shows."""
_SIZE = {"width": 900, "height": 600}
"""The width and the height of the browser's window, in pixels."""
_SERVED_SIZE = {"width": 1100, "height": 760}
"""The width and the height of the window for the pages of the service, in pixels."""
_TALLEST = 760
"""The largest height of a screenshot of a section, in pixels."""


def write_pages(index: Path, folder: Path) -> None:
    """Writes the pages of `engine explore` and `engine evaluate`, and copies the report of the index."""
    artifact = Artifact.open(index)
    shutil.copy(artifact.file(REPORT_FILE), folder / "report.html")
    files = sample_files()
    for command, page in (("explore", "explored.html"), ("evaluate", "evaluated.html")):
        words = [command, str(files.reviews), "--metadata", str(files.metadata), "--output", page]
        run = [sys.executable, "-m", "engine.cli", *words]
        subprocess.run(run, cwd=folder, stdout=subprocess.DEVNULL, check=True)


@contextmanager
def serving(index: Path) -> Iterator[str]:
    """Serves an index within the block, and yields the address of the service."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = make_app(ServiceSettings(indexes={"default": str(index)}, access_log=False))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def take(page: Page, index: Path, folder: Path) -> None:
    """Takes every screenshot with a page of a browser."""
    with serving(index) as address:
        page.set_viewport_size(_SERVED_SIZE)  # type: ignore[arg-type]
        for name, path in SERVED.items():
            page.goto(address + path)
            page.screenshot(path=IMAGES / f"{name}.png")
    page.set_viewport_size(_SIZE)  # type: ignore[arg-type]
    for name, (file, heading) in WRITTEN.items():
        page.goto((folder / file).as_uri())
        box = page.locator("section", has=page.locator("h2", has_text=heading)).bounding_box()
        assert box is not None
        box["height"] = min(box["height"], _TALLEST)
        page.screenshot(path=IMAGES / f"{name}.png", full_page=True, clip=box)


def main(index: str) -> None:
    """Writes one PNG file for each screenshot into docs/images."""
    IMAGES.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_pages(Path(index), Path(folder))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take(browser.new_page(viewport=_SIZE), Path(index), Path(folder))  # type: ignore[arg-type]
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
