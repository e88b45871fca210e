"""Converts lines that are nearly JSON, such as Python literals, to JSON."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import Any

from pipelines.text.lines import Block, Lines, lines_of
from pipelines.work.parallel import map_texts

_LITERAL = re.compile(r"\s*\{\s*u?'")
"""Matches the start of an object that is written as a Python literal."""
_LITERAL_START = 100
"""The number of bytes at the start of a block that show whether the block begins with a Python literal."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_NO_NUMBERS = re.compile(r"(?<=[:,\[\s])-?(?:nan|inf)(?=\s*[,}\]])")
_LONGEST_INTEGER = 18
"""The largest number of digits of an integer that is read as a number; a longer integer is kept as text."""


def json_lines(block: Block) -> Lines:
    """Finds the lines of a block; if the block begins with a Python literal, converts all literals to JSON.

    A Python literal is an object as Python's `repr` writes it, such as `{'asin': 'B1'}`. If the first line of
    the block is not a Python literal, the lines stay as they are, and the caller must convert Python literals
    in later lines with `repaired`.
    """
    if not _LITERAL.match(block.data[:_LITERAL_START].decode("utf-8", errors="replace")):
        return lines_of(block)
    lines = block.data.decode("utf-8").split("\n")
    places = [place for place, line in enumerate(lines) if _LITERAL.match(line)]
    for place, line in zip(places, map_texts(repaired, [lines[place] for place in places]), strict=True):
        lines[place] = line
    return lines_of(block._replace(data="\n".join(lines).encode("utf-8")))


def repaired(line: str) -> str:
    """Converts a line that is nearly JSON to JSON; returns any other line unchanged.

    Three kinds of lines are nearly JSON: an object as Python's `repr` writes it, a JSON object with unescaped
    control characters, and a JSON object with an unpaired surrogate. An unpaired surrogate is half of a
    character's code in UTF-16; the function replaces this half by U+FFFD.

    Example:
        >>> repaired("{'asin': 'B1', 'price': 9.5}")
        '{"asin": "B1", "price": 9.5}'
    """
    try:
        _strict_decoder.decode(line)
    except (ValueError, RecursionError):
        pass
    else:
        if "\\u" not in line:
            return line
    value = parse(line)
    if not isinstance(value, dict):
        return line
    try:
        return _SURROGATES.sub("\ufffd", json.dumps(value, ensure_ascii=False))
    except (ValueError, TypeError, RecursionError):
        return line


def parse(text: str) -> Any:
    """Returns the value of a JSON text or of a Python literal, or None if the text is neither."""
    try:
        return _lenient_decoder.decode(text)
    except (ValueError, RecursionError):
        pass
    if not _LITERAL.match(text):
        return None
    for literal in (text, _NO_NUMBERS.sub("None", text)):
        try:
            return ast.literal_eval(literal.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return None


def _integer(text: str) -> int | str:
    return int(text) if len(text.lstrip("-")) <= _LONGEST_INTEGER else text


def _number(text: str) -> float | str:
    return number if math.isfinite(number := float(text)) else text


_strict_decoder = json.JSONDecoder(parse_int=str, parse_float=str)
_lenient_decoder = json.JSONDecoder(
    strict=False, parse_constant=lambda _: None, parse_int=_integer, parse_float=_number
)
