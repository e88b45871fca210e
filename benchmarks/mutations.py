"""Damages the bytes of a file as the world does: one small function for each kind of damage."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable

Mutation = Callable[[random.Random, bytes], bytes]

_HUGE = 200_000
"""The length of a huge field, beyond the limit of Python's csv module."""
_WORDS = (
    r'nan inf -1 1e400 4,5 2017-08-26 26/08/2017 NULL true 0x1F 1_000 [1] {} "" \N \ud83d :: -- </s> =1+1'
)
_CHARACTERS = "\x00\x1e\x1f\x0c\r\t ,;|\"'\\#\uff15\u2028\u0085\u202e"
_VALUES = ("", "5 stars", "9" * 400, "\x1b[31m", *_WORDS.split(), *_CHARACTERS)
"""Texts that take the place of a field, or stand somewhere in a line."""
_SEPARATORS = (b",", b"\t", b";", b"|", b"::")


def _place(chance: random.Random, data: bytes) -> int:
    return chance.randint(0, len(data))


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def flip_bytes(chance: random.Random, data: bytes) -> bytes:
    """Changes one to eight bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8) if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def random_bytes(chance: random.Random, data: bytes) -> bytes:
    """Writes random bytes over a stretch."""
    place, length = _place(chance, data), chance.randint(1, 40)
    return data[:place] + chance.randbytes(length) + data[place + length :]


def cut_bytes(chance: random.Random, data: bytes) -> bytes:
    """Takes a stretch of bytes away."""
    place = _place(chance, data)
    return data[:place] + data[place + chance.randint(1, 200) :]


def cut_end(chance: random.Random, data: bytes) -> bytes:
    """Ends the file early."""
    return data[: _place(chance, data)]


def insert_value(chance: random.Random, data: bytes) -> bytes:
    """Puts an odd text somewhere."""
    place = _place(chance, data)
    return data[:place] + chance.choice(_VALUES).encode() + data[place:]


def change_field(chance: random.Random, data: bytes) -> bytes:
    """Replaces a number or a word of one line by an odd text, or of every line in one case out of four."""
    lines = _lines(data)
    value = chance.choice(_VALUES).encode()
    word = chance.choice((rb"\b\d{10}\b", rb"\b[1-5](\.0)?\b", rb"\b[RM]\d+\b", rb"[a-z]{4,}"))
    if chance.random() < 0.25:
        return b"\n".join(re.sub(word, lambda _: value, line, count=1) for line in lines)
    number = chance.randrange(len(lines))
    lines[number] = re.sub(word, lambda _: value, lines[number], count=1)
    return b"\n".join(lines)


def huge_field(chance: random.Random, data: bytes) -> bytes:
    """Puts a very long text somewhere, plain or in quotes."""
    place = _place(chance, data)
    text = b"long, " * (_HUGE // 6) if chance.random() < 0.5 else b"x" * _HUGE
    return data[:place] + (b'"' + text + b'"' if chance.random() < 0.5 else text) + data[place:]


def cut_line(chance: random.Random, data: bytes) -> bytes:
    """Takes one line away."""
    lines = _lines(data)
    del lines[chance.randrange(len(lines))]
    return b"\n".join(lines)


def repeat_line(chance: random.Random, data: bytes) -> bytes:
    """Repeats one line somewhere, often the header."""
    lines = _lines(data)
    lines.insert(chance.randint(0, len(lines)), lines[chance.choice((0, chance.randrange(len(lines))))])
    return b"\n".join(lines)


def swap_lines(chance: random.Random, data: bytes) -> bytes:
    """Swaps two lines."""
    lines = _lines(data)
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def join_lines(chance: random.Random, data: bytes) -> bytes:
    """Takes one line end away, or all of them."""
    if chance.random() < 0.2:
        return data.replace(b"\n", b"")
    place = data.find(b"\n", _place(chance, data))
    return data[:place] + data[place + 1 :] if place >= 0 else data


def break_line(chance: random.Random, data: bytes) -> bytes:
    """Puts a line end somewhere."""
    place = _place(chance, data)
    return data[:place] + chance.choice((b"\n", b"\r\n", b"\r", b"\n\n", b"\n \n")) + data[place:]


def insert_quotes(chance: random.Random, data: bytes) -> bytes:
    """Puts one to three quotes somewhere, or at the beginning of fields."""
    for _ in range(chance.randint(1, 3)):
        place = _place(chance, data)
        if chance.random() < 0.6:
            place = max(data.find(separator, place) + 1 for separator in (b",", b"\t", b";"))
        data = data[:place] + b'"' + data[place:]
    return data


def remove_quotes(chance: random.Random, data: bytes) -> bytes:
    """Takes one quote away, or all of them."""
    if chance.random() < 0.2:
        return data.replace(b'"', b"")
    place = data.find(b'"', _place(chance, data))
    return data[:place] + data[place + 1 :] if place >= 0 else data


def change_separators(chance: random.Random, data: bytes) -> bytes:
    """Changes the separators of the file, or of one line."""
    old, new = chance.choice(_SEPARATORS), chance.choice(_SEPARATORS)
    if chance.random() < 0.5:
        return data.replace(old, new)
    lines = _lines(data)
    number = chance.randrange(len(lines))
    lines[number] = lines[number].replace(old, new)
    return b"\n".join(lines)


def change_line_ends(chance: random.Random, data: bytes) -> bytes:
    """Ends all lines, or some, in another way."""
    ends = (b"\r\n", b"\r", b"\n\r", b"\n\n", b"\r\r\n", b"\x85\n", "\u2028".encode(), b"\x0c", b"\x1e")
    end = chance.choice(ends)
    if chance.random() < 0.6:
        return data.replace(b"\n", end)
    return b"".join(line + (end if chance.random() < 0.3 else b"\n") for line in _lines(data))


def change_encoding(chance: random.Random, data: bytes) -> bytes:
    """Writes the file, or one line, in another encoding."""
    encoding = chance.choice(("latin-1", "cp1252", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"))
    if chance.random() < 0.6:
        return data.decode("utf-8", errors="replace").encode(encoding, errors="replace")
    lines = _lines(data)
    number = chance.randrange(len(lines))
    lines[number] = lines[number].decode("utf-8", errors="replace").encode(encoding, errors="replace")
    return b"\n".join(lines)


def add_marks(chance: random.Random, data: bytes) -> bytes:
    """Puts a byte order mark at the beginning, or at the beginning of a line."""
    mark = chance.choice((b"\xef\xbb\xbf", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
    if chance.random() < 0.5:
        return mark + data
    lines = _lines(data)
    number = chance.randrange(len(lines))
    lines[number] = mark + lines[number]
    return b"\n".join(lines)


def empty_columns(chance: random.Random, data: bytes) -> bytes:
    """Ends every line with another separator, or empties a column."""
    separator = chance.choice(_SEPARATORS)
    lines = _lines(data)
    if chance.random() < 0.5:
        return b"\n".join(line + separator if line else line for line in lines)
    column = chance.randrange(4)
    split = [line.split(separator) for line in lines]
    return b"\n".join(separator.join(b"" if n == column else f for n, f in enumerate(fs)) for fs in split)


def without_header(chance: random.Random, data: bytes) -> bytes:
    """Takes the first line away, or all lines but the first."""
    first, _, rest = data.partition(b"\n")
    return rest if chance.random() < 0.8 else first + b"\n"


def twice(chance: random.Random, data: bytes) -> bytes:
    """Writes the whole file twice, often without a line end between."""
    return data + chance.choice((b"", b"\n", b"\xef\xbb\xbf")) + data


def blank_lines(chance: random.Random, data: bytes) -> bytes:
    """Puts lines without a word everywhere."""
    blank = chance.choice((b"", b" ", b"\t", b"\r", b"  \t ", b"\x0c"))
    return b"\n".join(
        part for line in _lines(data) for part in ((line, blank) if chance.random() < 0.3 else (line,))
    )


def nest_deeply(chance: random.Random, data: bytes) -> bytes:
    """Puts thousands of brackets somewhere."""
    place = _place(chance, data)
    return data[:place] + chance.choice((b"[", b"{", b'{"a":', b"(")) * 20_000 + data[place:]


def wrap_in_brackets(chance: random.Random, data: bytes) -> bytes:
    """Makes an array or a document of JSON lines, as exports do."""
    inside = data.strip().replace(b"\n", b",\n")
    return b"[" + inside + b"]\n" if chance.random() < 0.5 else b'{"reviews": [' + inside + b"]}"


def pack(chance: random.Random, data: bytes) -> bytes:
    """Packs the file with gzip, whole, in two members, cut off, or with zeros behind."""
    packed = gzip.compress(data, mtime=0)
    half = len(data) // 2
    return chance.choice(
        (
            packed,
            gzip.compress(data[:half], mtime=0) + gzip.compress(data[half:], mtime=0),
            packed[: chance.randint(0, len(packed))],
            packed + b"\0" * 100,
            packed + b"trailing",
        )
    )


ON_BYTES: tuple[Mutation, ...] = (flip_bytes, random_bytes, cut_bytes, cut_end, twice, insert_value)
"""Mutations of files that are no text."""
ON_TEXT: tuple[Mutation, ...] = (
    *(flip_bytes, random_bytes, cut_bytes, cut_end, insert_value, change_field, huge_field, cut_line),
    *(repeat_line, swap_lines, join_lines, break_line, insert_quotes, remove_quotes, change_separators),
    *(change_line_ends, change_encoding, add_marks, empty_columns, without_header, twice, blank_lines),
    *(nest_deeply, wrap_in_brackets, pack),
)
"""Mutations of text files."""


def mutate(chance: random.Random, name: str, data: bytes) -> tuple[bytes, list[str]]:
    """Applies one to three mutations to a file; returns the bytes and the names of the mutations."""
    packed = name.endswith(".gz")
    if packed and chance.random() < 0.7:
        changed, names = mutate(chance, "text", gzip.decompress(data))
        return gzip.compress(changed, mtime=0), names
    mutations = ON_BYTES if packed or name.endswith(".parquet") else ON_TEXT
    chosen = [chance.choice(mutations) for _ in range(chance.choice((1, 1, 1, 2, 2, 3)))]
    for mutation in chosen:
        data = mutation(chance, data)
    return data, [mutation.__name__ for mutation in chosen]
