"""Divides reviewers into the two arms of an A/B test: the main index or a trial index answers them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from engine.errors import ConfigError

MAIN_ARM = "main"
"""The name of the arm whose reviewers are answered from the main index."""


class Trial(NamedTuple):
    """Holds the trial index of an A/B test, which answers for a share of the reviewers."""

    name: str
    """The name of the trial arm: the name of the trial index, or of the directory of the trial index."""
    directory: str
    share: float
    """The share of the reviewers for whom the trial index answers, above 0 and below 1."""

    def holds(self, reviewer_id: str) -> bool:
        """Tells whether the trial index, and not the main index, answers for a reviewer.

        The result depends only on the reviewer's id, on the trial's name and on the share of reviewers in the
        trial. If `share` is raised, no reviewer leaves the trial arm.
        """
        digest = hashlib.blake2b(f"{self.name}\n{reviewer_id}".encode(errors="replace"), digest_size=8)
        return int.from_bytes(digest.digest(), "big") < self.share * 2**64


def read_trial(text: str, indexes: dict[str, str]) -> Trial:
    """Reads the value of the option --ab, such as `trial-index=10%`.

    The trial index is given by its directory, or by a name that the option --index gives to an index.

    Raises:
        ConfigError: `text` names no index; `text` does not end with a percentage above 0% and below 100%; or
            the trial index would be called "main", like the arm of the main index.
    """
    given, _, percent = text.rpartition("=")
    try:
        share = float(percent.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not given or not percent.endswith("%") or not 0 < share < 1:
        raise ConfigError(
            f"--ab must be an index and a share between 0% and 100%, as in trial-index=10%, but is {text!r}."
        )
    directory = indexes.get(given) or str(Path(given).absolute())
    name = given if given in indexes else Path(directory).name
    if name == MAIN_ARM:
        raise ConfigError(f"--ab cannot name its index {MAIN_ARM!r}; give the directory another name.")
    return Trial(name, directory, share)
