"""Divides JSON documents, such as one long list, into objects; memory does not grow with the document."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import SourceError
from pipelines.text.lines import BLOCK_SIZE, Block, to_utf8
from pipelines.text.repairs import parse
from pipelines.text.streams import MAX_LINE, TextForm, TextStream

VALUES = "*"
"""The value of `framing` for a JSON file whose objects stand one after another or in lists; `framing` tells
how a file is divided into objects. If a file has the framing "*", an object may span several lines, and
several objects may share a line."""

_STRING = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_ANY_STRING = re.compile(_STRING, re.DOTALL)
_STRINGS = re.compile(_STRING.encode(), re.DOTALL)
_CLOSED = re.compile(rf"""(?:[^"']++|{_STRING})*+""".encode(), re.DOTALL)
"""Matches the beginning of a text up to the first string that does not end within the text."""
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TOKENS = re.compile(
    rf"""(?:{_STRING})(?=\s*(?:[,:\]}})"']|u["']|u?\Z))|,\s*[\[{{(]|[\[\]{{}}()"']""", re.DOTALL
)
"""Matches one bracket, an opening bracket after a comma, a complete string, or a quote that begins no
complete string."""
_PAIRS = {"]": "[", "}": "{", ")": "("}
_DEEPEST = 500
"""The largest depth of nested brackets in an object that is written as a Python literal; a deeper object
counts as damaged."""
_GAP = re.compile(r"[\s,\ufeff]*")
_LITERAL = re.compile(r"\{\s*u?'")
_LIST = re.compile(r"""(["'])(\w+)\1\s*:\s*(?=\[\s*\{)""")
"""Matches the field name in front of a list of objects."""
_START = re.compile(r"""\{\s*u?(["'])[^"'\\]*\1\s*:""")
"""Matches the start of an object: the bracket, the name of the first field, and the colon."""
_NESTED = re.compile(r"""(?:[\[\s]*\{\s*u?(["'])[^"'\\]*\1\s*:\s*)++""")
"""Matches the start of an object, and of each object that is the first value of the object around it, such as
`{"a": {"b": [{"c": `."""
_LONGEST_START = 200
"""The assumed largest number of characters in the start of an object or list, such as `{"name":`. A file is
read in pieces, so the text read so far may end in the middle of the start of an object. After the next piece
is read, this many characters at the end of the earlier text are searched again."""
_NUM_LINES = 25
"""The number of lines from the start of a file by which `framing_of` decides whether each line is one
object."""
_SURE_DISTANCE = 16
"""If at least this many characters were read after the position of a syntax error in a JSON object, the
object counts as damaged. If fewer characters were read after a syntax error, the error may only mean that the
end of the JSON object is not read yet."""


_decoder = json.JSONDecoder(strict=False, parse_int=str, parse_float=str)


def framing_of(head: str, *, whole: bool) -> str:
    """Tells how a JSON file is divided into objects, by the text at the start of the file.

    Returns "" if each line is one object, and `VALUES` if objects may span lines or share a line. If the
    objects are in a named list, such as {"reviews": [...]}, returns the name of the list. The argument
    `whole` tells whether `head` is the text of the whole file.
    """
    start = head.lstrip("\ufeff \t\r\n")
    lines = [line for line in start.split("\n") if line.strip()]
    if not whole and len(lines) > 1:
        lines.pop()  # The last line may be cut off.
    parsed = [parse(line) for line in lines[:_NUM_LINES]]
    if start.startswith("["):
        is_row = isinstance(parsed[0], list) and not any(isinstance(value, dict) for value in parsed[0])
        return "" if is_row else VALUES
    objects = [value for value in parsed if isinstance(value, dict)]
    if whole and not objects:
        only = parse(start)
        objects = [only] if isinstance(only, dict) else []
    names = {_longest_list(value) for value in objects}
    if len(names) == 1 and (name := names.pop()):
        return name
    if 2 * len(objects) >= len(parsed) or not start.startswith("{"):
        return ""
    end = _end_in_head(start, 0)
    if end is not None:
        return VALUES if "\n" in start[:end] or start[end:].lstrip(" ,").startswith("{") else ""
    # The first object of the file is longer than `head`, and so is the list of objects in the first object.
    unended = (match[2] for match in _LIST.finditer(start) if _end_in_head(start, match.end()) is None)
    return next(unended, "")


def _longest_list(value: dict[str, Any]) -> str:
    """Returns the name of the field of `value` that holds the longest list of objects, or "".

    The result is "" if no field holds a list of objects, or if the longest list has fewer objects than
    `value` has fields.
    """
    lists = {
        name: len(values)
        for name, values in value.items()
        if isinstance(values, list) and all(isinstance(one, dict) for one in values)
    }
    longest = max(lists, key=lambda name: lists[name], default="")
    return longest if longest and lists[longest] >= len(value) else ""


def _end_of_value(text: str, start: int) -> tuple[int | None, bool]:
    """Returns the position after the object or list that begins at `start`, or None if the end is missing.

    The second returned value is True if the object or list is damaged, and False if more text may complete
    it.

    Raises:
        RecursionError: the object or list is nested too deeply.
    """
    opened: list[str] = []
    for token in _TOKENS.finditer(text, start):
        sign = token[0]
        if sign[-1] in "[{(":
            if sign[0] == "," and opened[-1:] == ["{"]:
                return None, True  # A value in an object must have a name.
            opened.append(sign[-1])
            if len(opened) > _DEEPEST:
                raise RecursionError
        elif sign in _PAIRS:
            if not opened or opened.pop() != _PAIRS[sign]:
                return None, True
            if not opened:
                return token.end(), False
        elif len(sign) == 1:
            return None, bool(_ANY_STRING.match(text, token.start()))
    return None, False


def _end_in_head(text: str, start: int) -> int | None:
    """Returns the position after the object or list that begins at `start`, or None if the end is missing."""
    try:
        return _end_of_value(text, start)[0]
    except RecursionError:
        return None


@dataclass(eq=False)
class DocumentReader:
    """Iterates once over the objects of a JSON file, as blocks that hold one object in each line.

    The JSON objects of a file are numbered from 1, and error messages show the number of an object as a line
    number. Damaged text becomes one line, which ends where the next object seems to start.
    """

    path: Path
    """The name of the file in error messages."""
    _: KW_ONLY
    file: Path
    """The path of the file that is read."""
    form: TextForm
    framing: str
    """The way in which the file is divided into objects, as `framing_of` returns it."""
    on_read: Callable[[int, int], object] | None = None
    """A function to call during reading, with the numbers of bytes and objects read since the previous
    call."""
    block_size: int = BLOCK_SIZE
    """The approximate number of bytes of text in a block."""
    truncated: bool = field(default=False, init=False)
    """Whether the file's compressed data ended too early; the value is valid after the last block was
    read."""
    num_lines: int = field(default=0, init=False)
    """The number of objects in the file; the value is valid after the last block was read.

    In an undamaged file with the framing `VALUES`, `num_lines` is found by a separate count of the opening
    brackets in the text. Callers compare `num_lines` with the number of objects that they received, and so
    notice a lost object.
    """
    num_foreign: int = field(default=0, init=False)
    """The number of objects read so far that were not UTF-8, and were read as Windows-1252."""

    def __iter__(self) -> Iterator[Block]:
        """Yields the objects in file order, without the incomplete last object of a truncated file.

        Raises:
            SourceError: the file cannot be read or is damaged.
        """
        stream = TextStream(
            self.path,
            file=self.file,
            form=self.form,
            on_read=lambda num_bytes: self._tell(num_bytes, 0),
            piece_size=self.block_size,
        )
        text = _Text(stream)
        found: list[str] = []
        size, number, num_objects = 0, 1, 0
        for value in self._values(text):
            num_objects += value.startswith("{")
            found.append(value.replace("\n", " ").replace("\r", " "))
            size += len(value)
            if size >= self.block_size:
                yield self._block(number, found)
                number += len(found)
                found, size = [], 0
        if found:
            yield self._block(number, found)
        self.truncated = stream.truncated
        self.num_lines = number - 1 + len(found)
        if self.framing == VALUES and not text.damaged:
            self.num_lines += text.counted.num_objects - num_objects

    def _tell(self, num_bytes: int, num_objects: int) -> None:
        if self.on_read:
            self.on_read(num_bytes, num_objects)

    def _block(self, first: int, values: list[str]) -> Block:
        self._tell(0, len(values))
        data, num_foreign = to_utf8("\n".join(values).encode("utf-8", errors="surrogateescape"))
        self.num_foreign += num_foreign
        return Block(first, data)

    def _values(self, text: _Text) -> Iterator[str]:
        in_list = False
        while True:
            if self.framing != VALUES and not in_list:
                in_list = text.skip_to(re.compile(rf"""(["']){re.escape(self.framing)}\1\s*:\s*\["""))
                if not in_list:
                    return
            if not text.skip_gap():
                return
            sign = text.rest(1)
            if sign in "]}" or (sign == "[" and not in_list):
                in_list = sign == "["
                text.place += 1
            elif (value := text.take()) is not None:
                yield value


class _Text:
    """Holds the text that was read from a file and is not yet divided into objects."""

    def __init__(self, stream: TextStream) -> None:
        self._stream = stream
        self._pieces = iter(stream)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        self._next_start = _START
        self.counted = _Counted()
        self.text = ""
        self.place = 0
        self.damaged = False
        """Whether any text that was read so far was not JSON, or was cut off."""

    def rest(self, length: int) -> str:
        """Returns the next characters, at most `length`, without reading more of the file."""
        return self.text[self.place : self.place + length]

    def skip_gap(self) -> bool:
        """Moves to the next character that is no whitespace and no comma; returns False if there is none."""
        while True:
            found = _GAP.match(self.text, self.place)
            self.place = found.end() if found else self.place
            if self.place < len(self.text):
                return True
            if not self._more():
                return False

    def skip_to(self, pattern: re.Pattern[str]) -> bool:
        """Moves to the end of the next match of a pattern; returns False if there is no match."""
        while not (found := pattern.search(self.text, self.place)):
            self.place = max(
                self.place, len(self.text) - _LONGEST_START
            )  # A match may begin in the last characters read so far, and end in characters to come.
            if not self._more():
                return False
        self.place = found.end()
        return True

    def take(self) -> str | None:
        """Reads the next object or list, or damaged text up to where the next object seems to start.

        Returns None if no text is left, or if a truncated file ends inside the object or list.
        """
        while True:
            try:
                end, is_damaged = self._end_of_value()
            except RecursionError:
                return self._take_damaged(self._length_of_nest())
            if end is not None:
                break
            if is_damaged or not self._more():
                return self._take_damaged(0)
        value = self.text[self.place : end]
        self.place = end
        if found := _START.match(value):
            self._next_start = re.compile(r"\{\s*" + re.escape(found[0][1:].strip()))
        return value

    def _end_of_value(self) -> tuple[int | None, bool]:
        """Returns the end of the next object or list, or None, and whether the object or list is damaged."""
        if _LITERAL.match(self.text, self.place):
            return _end_of_value(self.text, self.place)
        try:
            return _decoder.raw_decode(self.text, self.place)[1], False
        except json.JSONDecodeError as error:
            is_far = error.pos < len(self.text) - _SURE_DISTANCE
            return None, is_far and not error.msg.startswith("Unterminated string")

    def _length_of_nest(self) -> int:
        """Returns the number of characters from the current position to the most deeply nested object.

        The first value of the object at the current position may be an object, whose first value is again an
        object, and so on, as in {"a": {"a": {"a": 1}}}. If no object starts at the current position, the
        result is 0.
        """
        while True:
            found = _NESTED.match(self.text, self.place)
            if not found:
                return 0
            if len(self.text) - found.end() > _LONGEST_START or not self._more():
                return self.text.rfind("{", self.place, found.start(1)) - self.place

    def _take_damaged(self, length: int) -> str | None:
        """Reads at least `length` characters of damaged text, up to where the next object seems to start."""
        self.damaged = True
        while not (found := self._next_start.search(self.text, self.place + max(length, 1))):
            if not self._more():
                break
        end = found.start() if found else len(self.text)
        value = self.text[self.place : end].strip(" \t\r\n,]")
        self.place = end
        return None if not value or (found is None and self._stream.truncated) else value

    def _more(self) -> bool:
        """Reads the next piece of the text; returns False at the end of the text.

        Raises:
            SourceError: the text that is not yet divided into objects is longer than `MAX_LINE`.
        """
        path = self._stream.path
        if len(self.text) - self.place > MAX_LINE:
            raise SourceError(
                f"An object in {path} is longer than {MAX_LINE >> 20} MB; expected one review or movie.",
                path=path,
            )
        piece = next(self._pieces, None)
        self.counted.add(piece or b"")
        more = self._decoder.decode(piece or b"", final=piece is None)
        self.text = self.text[self.place :] + more
        self.place = 0
        return piece is not None


class _Counted:
    """Counts the objects in a text of JSON by the brackets outside strings."""

    def __init__(self) -> None:
        self.num_objects = 0
        self._rest = b""
        self._depth = 0
        self._is_in_list = False

    def add(self, piece: bytes) -> None:
        """Counts the objects that start in the next piece of a text; objects inside objects do not count."""
        data = self._rest + piece
        closed = _CLOSED.match(data)
        end = closed.end() if closed else 0
        # A string that does not end in this piece is read again together with the next piece.
        self._rest = data[end:]
        outside = _STRINGS.sub(b"", data[:end]).translate(None, _NOT_BRACKETS)
        brackets = np.frombuffer(outside, dtype=np.uint8)
        if not len(brackets):
            return
        steps = np.where((brackets == ord("{")) | (brackets == ord("[")), 1, -1)
        sums = self._depth + np.cumsum(steps)
        ends = sums - np.minimum(np.minimum.accumulate(sums), 0)  # Surplus closing brackets do nothing.
        depths = np.concatenate([[self._depth], ends[:-1]])  # before each bracket
        outermost = np.flatnonzero((depths == 0) & (steps == 1))
        last = np.searchsorted(outermost, np.arange(len(brackets)), side="right") - 1
        kinds = np.append(brackets[outermost], ord("[") if self._is_in_list else ord("{"))
        # The last of `kinds`, at index -1, is the bracket that the pieces before have left open.
        in_list = kinds[last] == ord("[")
        starts = (brackets == ord("{")) & ((depths == 0) | ((depths == 1) & in_list))
        self.num_objects += int(starts.sum())
        self._depth = int(ends[-1])
        self._is_in_list = bool(in_list[-1])
