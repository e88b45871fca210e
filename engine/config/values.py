"""Converts settings from mappings or text, checks the settings, and makes dataclasses of the settings.

The code in this file works for any setting; `engine/config/sections.py` defines the settings. A section of
settings is a frozen, keyword-only dataclass. The type of a field in a section is a boolean, a number, a text,
a tuple, a mapping of text to text, or another section. A field whose type includes None, such as
`str | None`, may have the value None. The rules of a setting stand in the type annotation, such as
`Annotated[int, at_least(1)]`.
"""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from engine.errors import ConfigError, shown

Section = TypeVar("Section")

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_TOO_LARGE = 1 << 63
"""The least whole number above 0 that does not fit into a signed integer of 64 bits. A setting must be a
smaller number, because the libraries that get the values of settings store whole numbers in 64 bits."""
_NONE = ("none", "null")
_PAIR = re.compile(r"""([^=,]*)(=?)\s*("(?:[^"]|"")*"\s*(?=,|$)|'[^']*'\s*(?=,|$)|[^,]*)(?:,|$)""")
"""Matches one pair in a list of pairs: a key, an equals sign, and a value, which is in quotes if it holds a
comma."""
_EXPECTED = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """Describes a condition that the value of a setting must meet, such as "at least 1"."""

    wanted: str
    """The condition in words, such as "at least 1"; an error message writes the words after "must be"."""
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()
    """The texts that the rule allows; empty if the rule does not name the allowed texts one by one."""

    def check(self, setting: str, value: Any) -> None:
        """Raises ConfigError if a value breaks the rule; the error suggests a similar allowed text."""
        if not self.holds(value):
            matches = difflib.get_close_matches(str(value), self.choices, n=1)
            advice = f"; did you mean '{matches[0]}'?" if matches else ""
            raise ConfigError(f"Setting '{setting}' must be {self.wanted} but is {shown(value)}{advice}")


def at_least(low: float, high: float = math.inf) -> Rule:
    """Returns the rule that a number must be at least `low` and at most `high`."""
    upper = "" if high == math.inf else f" and at most {high:g}"
    return Rule(f"at least {low:g}{upper}", lambda value: low <= value <= high)


def one_of(*choices: str) -> Rule:
    """Returns the rule that a text must be one of the given choices."""
    return Rule(f"one of {', '.join(choices)}", choices.__contains__, choices)


def _is_day(text: str) -> bool:
    try:
        return bool(datetime.datetime.strptime(text, "%Y-%m-%d"))
    except ValueError:
        return False


DAY = Rule("a day as YYYY-MM-DD", _is_day)


def _is_memory(text: str) -> bool:
    """Tells whether a text is an amount of memory from 1 MB to 1000 TB, such as 4GB."""
    found = re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?\s?[KMGT]i?B", text, flags=re.IGNORECASE)
    return found is not None and _LEAST_MEMORY <= size_in_bytes(text) <= _MOST_MEMORY


_LEAST_MEMORY, _MOST_MEMORY = 1_000_000, 10**15
MEMORY = Rule("an amount of memory such as 4GB, from 1MB to 1000TB", _is_memory)


def _is_database(text: str) -> bool:
    from indexes.database import is_uri

    return not text or is_uri(text)


DATABASE = Rule("empty, http://HOST:PORT without a password, or a path that ends with .db", _is_database)

_TIME_FORMATS = ("unix", "excel", "day-first", "month-first", "year-first")
_TIME_CODES = frozenset("aAbBdmyYHIpMSfgnzZjUWwcxX%")
"""The letters that may follow a percent sign in the setting `time_format`, such as d, m and Y in %d.%m.%Y."""


def _is_time_format(text: str) -> bool:
    codes = re.findall(r"%-?(.?)", text)
    return text in _TIME_FORMATS or (bool(codes) and _TIME_CODES.issuperset(codes))


TIME_FORMAT = Rule(
    f"one of {', '.join(_TIME_FORMATS)}, or a pattern such as %d.%m.%Y", _is_time_format, _TIME_FORMATS
)


def rules(section: type[Any]) -> dict[str, tuple[Rule, ...]]:
    """Returns the rules of each setting of a section, by the name of the setting."""
    kinds = typing.get_type_hints(section, include_extras=True)
    return {name: getattr(kind, "__metadata__", ()) for name, kind in kinds.items()}


def check_rules(name: str, section: Any) -> None:
    """Checks that every setting of a section meets the rules in the type annotation of the setting.

    The argument `name` is the name of the section in error messages. A setting with the value None meets
    every rule. A tuple meets a rule if each item of the tuple meets the rule.

    Raises:
        ConfigError: a setting breaks a rule.
    """
    for setting, demanded in rules(type(section)).items():
        value = getattr(section, setting)
        for item in value if isinstance(value, tuple) else (value,):
            for rule in demanded if item is not None else ():
                rule.check(f"{name}.{setting}", item)


def setting_types(section: type[Any], prefix: str = "") -> dict[str, Any]:
    """Returns the type of each setting of a section, by the dotted name of the setting."""
    found: dict[str, Any] = {}
    for name, kind in typing.get_type_hints(section).items():
        if dataclasses.is_dataclass(kind):
            found.update(setting_types(typing.cast("type[Any]", kind), f"{prefix}{name}."))
        else:
            found[f"{prefix}{name}"] = kind
    return found


def to_mapping(section: Any) -> dict[str, Any]:
    """Converts a section of settings to plain values that JSON can hold; `from_mapping` does the reverse."""
    return {field.name: _toml_value(getattr(section, field.name)) for field in dataclasses.fields(section)}


def flat_settings(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Converts nested settings to one dictionary whose keys are dotted names, such as `index.kind`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flat_settings(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def from_mapping(section: type[Section], values: Mapping[str, Any], prefix: str = "") -> Section:
    """Makes a section of settings from plain values; a missing setting gets its default.

    Raises:
        ConfigError: the name of a setting is unknown; a value has the wrong type; a value breaks a rule.
    """
    kinds = typing.get_type_hints(section)
    given: dict[str, Any] = {}
    for name, value in values.items():
        setting = f"{prefix}{name}"
        if name not in kinds:
            raise unknown_setting(setting, [f"{prefix}{known}" for known in setting_types(section)])
        kind = kinds[name]
        if not dataclasses.is_dataclass(kind):
            given[name] = convert(setting, value, kind)
        elif isinstance(value, Mapping):
            given[name] = from_mapping(typing.cast("type[Any]", kind), value, f"{setting}.")
        else:
            raise ConfigError(f"'{setting}' is a section of settings, so it cannot be {shown(value)}")
    return section(**given)


def parse_assignment(section: type[Any], assignment: str) -> tuple[str, Any]:
    """Splits an assignment `section.key=value` into the dotted name and a value of the setting's type.

    In an assignment, a tuple is written `64,32`; a mapping is written `a=b,c=d`, or `a="b,c"` if a value
    holds a comma; None is written `none`.

    Raises:
        ConfigError: the assignment has no `=`; the setting is unknown; the value has the wrong type.
    """
    name, separator, text = assignment.partition("=")
    name = name.strip()
    if not separator:
        raise ConfigError(f"{shown(assignment)} is not a setting; write it as section.key=value")
    known = setting_types(section)
    if name in known:
        return name, parse_text(name, text.strip(), known[name])
    mapping, _, _ = name.rpartition(".")
    if typing.get_origin(known.get(mapping)) is Mapping:
        return name, text.strip()
    raise unknown_setting(name, known)


def parse_text(setting: str, text: str, kind: Any) -> Any:
    """Converts text to the type of a setting; raises ConfigError if that is impossible."""
    if typing.get_origin(kind) is Mapping:
        pairs = [match.groups() for match in _PAIR.finditer(text) if match[0].strip(", ")]
        if not all(key.strip() and separator for key, separator, _ in pairs):
            raise ConfigError(
                f"Setting '{setting}' expects pairs such as a=b,c=d, with quotes around a value that holds a "
                f'comma, such as a="b,c", but got {shown(text)}'
            )
        return {key.strip(): _without_quotes(value.strip()) for key, _, value in pairs}
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return tuple(parse_text(setting, part.strip(), inner) for part in text.split(",") if part.strip())
    inner, optional = _without_none(kind)
    if optional and text.lower() in _NONE:
        return None
    if inner is bool and text.lower() in _TRUE + _FALSE:
        return text.lower() in _TRUE
    if inner in (int, float):
        try:
            return convert(setting, inner(text), inner)
        except ValueError:
            pass
    return convert(setting, text, kind)


def convert(setting: str, value: Any, kind: Any) -> Any:
    """Converts a plain value to the type of a setting; raises ConfigError if that is impossible.

    If a setting has the type float, a whole number becomes a float; if a setting has the type tuple, a list
    becomes a tuple.
    """
    inner, optional = _without_none(kind)
    if value is None and optional:
        return None
    if typing.get_origin(inner) is tuple and isinstance(value, list | tuple):
        return tuple(convert(setting, item, typing.get_args(inner)[0]) for item in value)
    if typing.get_origin(inner) is Mapping and isinstance(value, Mapping):
        return {convert(setting, key, str): convert(setting, item, str) for key, item in value.items()}
    if inner is str and isinstance(value, datetime.date):
        return value.isoformat()
    if inner in (int, float) and type(value) is int and abs(value) >= _TOO_LARGE:
        raise ConfigError(f"Setting '{setting}' must be under 2 to the power of 63 but is {shown(value)}")
    if inner is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is inner and not (inner is float and not math.isfinite(value)):
        return value
    raise ConfigError(f"Setting '{setting}' expects {expected(inner)} but got {shown(value)}")


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merges mappings of settings into one nested mapping; a later mapping replaces earlier values.

    A dotted name such as "ingest.threads" stands for the setting "threads" in the section "ingest".
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            for part in reversed(name.split(".")[1:]):
                value = {part: value}
            merged = _overlay(merged, {name.partition(".")[0]: value})
    return merged


def unknown_setting(setting: str, known: Iterable[str]) -> ConfigError:
    """Makes the error for an unknown name of a setting; the error suggests the most similar known names."""
    names = list(known)
    last_words = {name.rpartition(".")[2]: name for name in names}
    wanted = setting.rpartition(".")[2]
    matches = difflib.get_close_matches(setting, names, n=2, cutoff=0.75) or [
        last_words[word] for word in difflib.get_close_matches(wanted, last_words, n=2, cutoff=0.75)
    ]
    advice = f"did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""
    return ConfigError(f"Unknown setting '{setting}'; {advice or 'known are ' + ', '.join(names)}")


def size_in_bytes(value: str) -> int:
    """Converts text such as "4GB" (powers of 1,000) or "512MiB" (powers of 1,024) to a number of bytes."""
    number, unit = re.split(r"(?=[A-Za-z])", value.replace(" ", ""), maxsplit=1)
    base = 1024 if "i" in unit.lower() else 1000
    return int(float(number) * base ** ("KMGT".index(unit[0].upper()) + 1))


def expected(kind: Any) -> str:
    """Returns words for the values that a type of setting takes, such as "a whole number"."""
    if typing.get_origin(kind) is tuple:
        return f"a list of which each item is {expected(typing.get_args(kind)[0])}"
    return "a table of text" if typing.get_origin(kind) is Mapping else _EXPECTED[_without_none(kind)[0]]


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for name, value in above.items():
        held = result.get(name)
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            value = _overlay(held, value)
        result[name] = value
    return result


def _without_quotes(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('""', '"')
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == "'" else value


def _without_none(kind: Any) -> tuple[Any, bool]:
    if typing.get_origin(kind) not in (types.UnionType, typing.Union):
        return kind, False
    inner = [arg for arg in typing.get_args(kind) if arg is not type(None)]
    return inner[0], True


def _toml_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_mapping(value)
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
