"""Takes the screenshots of the README from a service over the sample: python docs/screenshots.py INDEX."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from pathlib import Path

import uvicorn
from playwright.sync_api import sync_playwright

from engine.service.app import make_app
from engine.service.settings import ServiceSettings

FOLDER = Path(__file__).resolve().parent / "screenshots"
PAGES = {
    "reviewer": "/reviewer/A3ROS56ZKFSSN",
    "newcomer": "/newcomer?rate=B000000016%3D5&rate=B00D58TUF2%3D4",
    "movie": "/movie/B000000016",
    "map": "/map",
}
"""The page that each screenshot shows, by the name of the file."""


def main(index: str) -> None:
    """Serves the index for a moment, and writes one PNG file a page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = make_app(ServiceSettings(indexes={"default": index}, access_log=False))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 640})
        for name, path in PAGES.items():
            page.goto(f"http://127.0.0.1:{port}{path}")
            page.screenshot(path=FOLDER / f"{name}.png")
        browser.close()
    server.should_exit = True
    thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
