"""Describes the values that a manifest may hold, and reads manifests that may be damaged or hostile.

In this module, a shape is a Python object that says which values are allowed at one place of a manifest:

    shape                       allowed values
    float                       any finite number
    bool                        true and false
    str                         any text
    object                      any value
    None                        null
    range                       the whole numbers in the range
    re.Pattern                  the texts that match the pattern
    (shape_1, shape_2)          the values that `shape_1` or `shape_2` allows
    [shape_1]                   a list whose values are all allowed by `shape_1`
    {str: shape_1}              a section (JSON object) whose values are all allowed by `shape_1`
    {"a": shape_1, "b?": shape_2}
                                a section that must have an entry "a", whose value `shape_1` allows; if the
                                section has an entry "b", `shape_2` must allow its value; the section may
                                also have entries of other names, with any values
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from engine.artifact import layout

LARGEST = 16 * 1024 * 1024
"""The largest size of a manifest, in bytes: enough for ten thousand updates of an index."""
_DEEPEST = 24
"""The largest number of sections and lists that may be nested inside each other in a manifest."""
_WHOLE = range(2**53)
"""The whole numbers from 0 that every JSON reader represents exactly."""
_FIGURE = (float, None)

_ACCOUNTING = {
    **dict.fromkeys(("read", "kept", "duplicate", "filtered", "rejected"), _WHOLE),
    "filtered_by": {str: _WHOLE},
    "rejected_by": {str: _WHOLE},
    "files": [{"path": str, "rows": _WHOLE}],
    "truncated": [str],
}
_UPDATES = {
    "retrain": bool,
    "reason": (str, None),
    "history": [{"added": _WHOLE, "replaced": _WHOLE, "new_reviewers": _WHOLE}],
    "trained_on": {"reviews": _WHOLE},
}
_SHAPE: dict[str, Any] = {
    layout.FILES_ENTRY: {str: {"size": _WHOLE, "sha256": re.compile("[0-9a-f]{64}")}},
    layout.PACKAGE_ENTRY: str,
    layout.BUILD_ENTRY: str,
    layout.CREATED_ENTRY: str,
    f"{layout.BEFORE_ENTRY}?": (layout.BUILD_NAME, None),
    f"{layout.KEEP_ENTRY}?": range(1, 2**31),
    f"{layout.REFUSED_ENTRY}?": str,
    f"{layout.MODEL_SECTION}?": {
        "recency_power": float,
        "max_history": range(1, 2**31),
        "rating_levels": [float],
        "num_rating_layers": range(layout.MOST_RATING_LAYERS),
        "has_linear_neighbours": bool,
        "has_successors?": bool,
        "blend": {str: float},
    },
    f"{layout.SEARCH_SECTION}?": {"num_candidates": range(1, 2**31)},
    f"{layout.COUNTS_SECTION}?": {"reviews?": _WHOLE, "reviewers?": _WHOLE},
    f"{layout.AUDIT_SECTION}?": {},
    f"{layout.CONFIG_SECTION}?": {},
    f"{layout.SIMILAR_SECTION}?": {"weights": {str: float}},
    f"{layout.COLD_SECTION}?": {"slopes": {str: float}, "doubt?": float},
    f"{layout.UPDATES_SECTION}?": _UPDATES,
    f"{layout.ACCOUNTING_SECTION}?": _ACCOUNTING,
    f"{layout.METRICS_SECTION}?": {str: {str: _FIGURE}},
    f"{layout.BASELINES_SECTION}?": {"left_out?": (str, None)},
    f"{layout.SENTIMENT_SECTION}?": {"with_sentiment": _WHOLE},
    f"{layout.JOURNAL_SECTION}?": {"token": str, "number": _WHOLE, "size": _WHOLE},
    f"{layout.CALIBRATION_SECTION}?": [{"mean_predicted": float, "share_liked": float, "count": _WHOLE}],
    f"{layout.TRAINING_SECTION}?": {
        "rounds?": {str: _WHOLE},
        "curves?": {str: {str: [_FIGURE]}},
    },
}
"""The shape that a manifest of the current format version must have."""
_NEEDED_BY = {
    **dict.fromkeys(
        (layout.VECTOR_INDEX_FILE, layout.ADDRESS_FILE),
        (layout.MODEL_SECTION, layout.SEARCH_SECTION, layout.COUNTS_SECTION),
    ),
    layout.REPORT_FILE: (
        *(layout.ACCOUNTING_SECTION, layout.METRICS_SECTION, layout.CALIBRATION_SECTION),
        *(layout.TRAINING_SECTION, layout.AUDIT_SECTION),
    ),
}
"""Maps the name of a file to the manifest sections that a build with the file must have."""


def parse_manifest(content: bytes) -> dict[str, Any]:
    """Parses a manifest of any format version.

    Raises:
        ValueError: the content is not a JSON object with a format version.
    """
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not JSON") from error
    if not isinstance(manifest, dict) or layout.VERSION_ENTRY not in manifest:
        raise ValueError("has no format version")
    return manifest


def check_manifest(manifest: dict[str, Any]) -> None:
    """Checks that a manifest of the current format version has the right shape.

    Raises:
        ValueError: an entry is missing, has the wrong type or is out of range.
    """
    if fault := _fault(manifest, _SHAPE, ""):
        raise ValueError(fault)
    for name in manifest[layout.FILES_ENTRY]:
        if name not in layout.FILE_NAMES:
            raise ValueError(f"names a file {name[:60]!r}, which no index holds")
        for section in _NEEDED_BY.get(name, ()):
            if section not in manifest:
                raise ValueError(f"has no section {section}")


def _fault(value: Any, shape: Any, name: str, left: int = _DEEPEST) -> str | None:
    """Says what is wrong with a value in a manifest, such as "has no model.blend"; None if nothing is wrong.

    The argument `shape` says which values are allowed, as the docstring of this module explains. `name` is
    the path of `value` in the manifest, such as "model.blend". `left` is the largest allowed depth of nested
    sections and lists, counted from `value`.
    """
    if left == 0:
        return f"nests {name[:60]} too deeply"
    if isinstance(shape, tuple):
        faults = [_fault(value, one, name, left) for one in shape]
        return None if None in faults else faults[0]
    if isinstance(shape, dict) and not isinstance(value, dict):
        return f"has {_shown(value)} for {name}, not a section"
    if isinstance(shape, list) and not isinstance(value, list):
        return f"has {_shown(value)} for {name}, not a list"
    if shape is not object and isinstance(value, dict | list) and not isinstance(shape, type(value)):
        return f"has {_shown(value)} for {name}, not a single value"
    if isinstance(value, dict):
        shapes = shape if isinstance(shape, dict) else {}
        for entry in shapes:
            if entry is not str and not entry.endswith("?") and entry not in value:
                return f"has no {name}{entry}" if not name else f"has no {name}.{entry}"
        for entry, part in value.items():
            inner = shapes.get(entry, shapes.get(f"{entry}?", shapes.get(str, object)))
            if fault := _fault(part, inner, f"{name}.{entry}" if name else entry, left - 1):
                return fault
        return None
    if isinstance(value, list):
        (inner,) = shape if isinstance(shape, list) else (object,)
        faulty = (_fault(part, inner, name, left - 1) for part in value)
        return next((fault for fault in faulty if fault), None)
    return _fault_of_scalar(value, shape, name)


def _fault_of_scalar(value: Any, shape: Any, name: str) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and not (abs(value) < 2**64 and math.isfinite(value)):
        return f"has {_shown(value)} for {name}, which is no finite number"
    if isinstance(shape, range) and not (isinstance(value, int) and is_number and value in shape):
        return f"has {_shown(value)} for {name}, not a whole number from {shape[0]} to {shape[-1]:,}"
    if shape is float and not is_number:
        return f"has {_shown(value)} for {name}, not a number"
    if shape is bool and not isinstance(value, bool):
        return f"has {_shown(value)} for {name}, not true or false"
    if shape is str and not isinstance(value, str):
        return f"has {_shown(value)} for {name}, not a text"
    if shape is None and value is not None:
        return f"has {_shown(value)} for {name}, not null"
    if isinstance(shape, re.Pattern) and not (isinstance(value, str) and shape.fullmatch(value)):
        return f"has {_shown(value)} for {name}, not a checksum"
    return None


def _shown(value: Any) -> str:
    for kind, name in ((dict, "a section"), (list, "a list"), (str, "a text")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else str(value)[:20]
