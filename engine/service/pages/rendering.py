"""Renders web pages; if the library htmx asks for a page, only the changed region is rendered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zlib import crc32

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import Response

from engine.errors import EngineError, UnknownIdError
from engine.recommender import Engine
from engine.service.answering import index_of

STATIC = Path(__file__).parent / "static"
"""The folder of the style sheet and the scripts of the web pages."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "Vary": "HX-Request",
    "Cache-Control": "no-store",
}
"""The HTTP headers of every web page, by which a page loads nothing from other servers, and runs no script
written into the page."""
NUM_COLOURS = 12
"""The number of colours for genres in the style sheet."""
GREY = NUM_COLOURS
"""The number of the colour for movies without a genre."""
_templates = Environment(
    loader=PackageLoader("engine.service.pages"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_templates.filters["urlencode"] = lambda text: quote(str(text), safe="", errors="surrogateescape")
_templates.filters["genre"] = lambda category: (category or "").split(" | ")[-1]
_templates.filters["colour"] = lambda name: crc32(name.encode()) % NUM_COLOURS if name else GREY

Values = dict[str, Any]


async def page(request: Request, template: str, question: Callable[[Engine], Values]) -> Response:
    """Renders a page with the values that `question` returns; if htmx asks, renders the changed region."""
    frame = "fragment.html" if request.headers.get("HX-Request") == "true" else "frame.html"

    def ask(engine: Engine) -> tuple[bytes, int]:
        try:
            return _render(frame, template, question(engine)), 200
        except UnknownIdError as error:
            place = f"/{error.kind}/"
            close = [(place + quote(one, safe=""), one) for one in error.close_matches]
            values = {"heading": f"No such {error.kind}", "sentence": str(error), "close": close}
            return _render(frame, "problem.html", values), 404
        except EngineError as error:
            values = {"heading": "That cannot be asked", "sentence": str(error), "close": []}
            return _render(frame, "problem.html", values), 422

    content, status = await index_of(request).ask(ask)
    return HTMLResponse(content, status, headers=HEADERS)


def _render(frame: str, template: str, values: Values) -> bytes:
    known: Values = {"frame": frame, "asked_title": None, "asked_reviewer": None}
    return _templates.get_template(template).render(known | values).encode("utf-8", "replace")
