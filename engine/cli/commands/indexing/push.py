"""Implements `engine push` and `engine pull`, which copy an index to and from remote storage."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.options import FORMAT, PATH, VERBOSE, option
from engine.cli.output import print_facts
from engine.cli.terminal import say

if TYPE_CHECKING:
    from engine.artifact.remote import Transfer


@click.command(
    params=[
        click.Argument(["directory"], type=PATH, metavar="DIR"),
        click.Argument(["url"], metavar="URL"),
        *(*FORMAT, VERBOSE),
    ]
)
def push(directory: Path, url: str, format: str) -> None:
    """Copy the live build of the index in DIR to URL, such as s3://bucket/index.

    The URL may have any scheme of fsspec whose package is installed, such as s3, gs, abfs, sftp or file. The
    build becomes live at URL when all files of the build are there. If a push is interrupted, the next push
    copies only the missing files. URL keeps the builds that DIR keeps, and the build that was live at URL
    before.
    """
    from engine.artifact.remote import push as push_index

    _say_transfer(push_index(directory, url), f"is the live build at {url} now", format)


@click.command(
    params=[
        click.Argument(["url"], metavar="URL"),
        click.Argument(["directory"], type=PATH, metavar="DIR"),
        option(
            ["--expect"],
            metavar="SHA256",
            help="Refuse an index with another digest; engine info prints the digest of an index.",
        ),
        *(*FORMAT, VERBOSE),
    ]
)
def pull(url: str, directory: Path, expect: str | None, format: str) -> None:
    """Copy the live build of the index at URL, such as s3://bucket/index, into DIR.

    Every copied file is checked against the checksum in the manifest. The index that was in DIR stays live
    until the new build is complete, and a service notices the new build within a second. If a pull is
    interrupted, the next pull copies only the missing files. If DIR already holds the live build of the index
    at URL, nothing is copied.
    """
    from engine.artifact.remote import pull as pull_index

    _say_transfer(pull_index(url, directory, expect=expect), f"is the live build of {directory} now", format)


def _say_transfer(done: Transfer, what: str, format: str) -> None:
    copied = f"{done.num_copied:,} files were copied ({done.num_bytes / 1e6:,.1f} MB)"
    sentence = f"{done.build} {what}; {copied if done.num_copied else 'nothing was copied'}."
    print_facts(asdict(done), format, lambda: say(sentence))
