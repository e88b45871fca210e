"""Implements `engine serve`, which answers questions over HTTP from one index or several indexes."""

from __future__ import annotations

from pathlib import Path

import click

from engine.cli.options import DEFAULT_INDEX, PATH, VERBOSE, flag, option


@click.command(
    params=[
        option(
            ["--index", "indexes"],
            multiple=True,
            default=[DEFAULT_INDEX],
            envvar="ENGINE_INDEX",
            show_envvar=True,
            metavar="[NAME=]DIR",
            help="Answer from the index in this directory; several indexes have names.",
        ),
        option(["--host"], default="127.0.0.1", metavar="HOST", help="Listen at this address."),
        option(["--port"], type=int, default=8000, metavar="PORT", help="Listen at this port."),
        option(
            ["--workers"], type=int, default=1, metavar="N", help="Answer in this many processes, one a core."
        ),
        option(
            ["--token-file"],
            type=PATH,
            metavar="FILE",
            help="Answer only requests with a token from this file, which has one token a line.",
        ),
        flag(["--no-auth"], help="Answer everybody, also when listening at more than loopback."),
        option(
            ["--rate"], type=float, metavar="N", help="Answer at most this many requests a second a token."
        ),
        option(
            ["--origin", "origins"],
            multiple=True,
            metavar="ORIGIN",
            help="Let web pages of this origin ask from a browser. May be given several times.",
        ),
        option(
            ["--log-exposures", "exposures"],
            type=PATH,
            metavar="DIR",
            help="Note which lists were shown to whom, in Parquet files in this directory.",
        ),
        option(
            ["--ab", "trial"],
            metavar="INDEX=SHARE%",
            help="Answer this share of the reviewers from another index, such as --ab trial-index=10%.",
        ),
        flag(["--no-access-log"], help="Write no line of JSON for each request."),
        VERBOSE,
    ]
)
def serve(
    indexes: tuple[str, ...],
    host: str,
    port: int,
    workers: int,
    token_file: Path | None,
    no_auth: bool,
    rate: float | None,
    origins: tuple[str, ...],
    exposures: Path | None,
    trial: str | None,
    no_access_log: bool,
) -> None:
    """Answer questions over HTTP, with the same JSON as the command line.

    Reviews and clicks that a shop sends are kept in the journal of the index, and change the reviewer's next
    list. If an index is built again, the service switches to the new build within seconds, without losing a
    request. The page /docs of the service describes all requests that the service answers.
    """
    from engine.service.live.arms import read_trial
    from engine.service.server import run
    from engine.service.settings import ServiceSettings, named_indexes

    named = named_indexes(indexes)
    settings = ServiceSettings(
        indexes=named,
        host=host,
        port=port,
        workers=workers,
        token_file=None if token_file is None else str(token_file.absolute()),
        rate=rate,
        origins=origins,
        exposures=None if exposures is None else str(exposures.absolute()),
        trial=None if trial is None else read_trial(trial, named),
        access_log=not no_access_log,
    )
    run(settings, no_auth=no_auth)
