"""Amazon's metadata of 2014, which was written as Python writes a dictionary: {'asin': 'B000...'}."""

from __future__ import annotations

import ast
import json

from pipelines.work.parallel import map_texts


def literals_to_json(text: str) -> str:
    """Turns the lines of a block that are Python literals into JSON; other lines stay as they are."""
    lines = text.split("\n")
    places = [place for place, line in enumerate(lines) if line.startswith("{'")]
    for place, converted in zip(places, map_texts("literal", [lines[at] for at in places]), strict=True):
        lines[place] = converted
    return "\n".join(lines)


def literal_to_json(line: str) -> str:
    """One literal as JSON; what is none stays as it is, and is rejected where JSON is parsed.

    Example:
        >>> literal_to_json("{'asin': 'B1', 'price': 9.5}")
        '{"asin": "B1", "price": 9.5}'
    """
    try:
        return json.dumps(ast.literal_eval(line.strip()))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return line
