"""The options of the import command that fetch images."""

import argparse
import re
from collections.abc import Callable

import asyncpg

from services.ingest.auth.actors import Actor
from services.ingest.imports.fetching.images import FetchLimits, FetchTotals, ImageFetcher
from services.ingest.imports.fetching.targets import AllowedHosts, parse_hosts
from services.ingest.media.library import MediaStore
from services.ingest.settings import IngestSettings
from shared.cli import CommandError
from shared.http.targets import RequestError
from shared.object_store import StoreError, open_store

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def add_fetch_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    limits = FetchLimits()
    group = parser.add_argument_group("images")
    group.add_argument(
        "--fetch-images",
        action="store_true",
        help="fetch the images of the articles into the media store; a second run fetches only what is missing",
    )
    group.add_argument(
        "--fetch-hosts",
        type=_hosts,
        metavar="HOST,…",
        help="hosts to fetch from: cu.example, *.cu.example or, with a port other than 80 and 443, cu.example:8080;"
        " default: those of the articles' own addresses",
    )
    group.add_argument(
        "--fetch-count",
        type=int,
        default=limits.images,
        metavar="N",
        help=f"images of a run; default: {limits.images:,}",
    )
    group.add_argument(
        "--fetch-bytes",
        type=_bytes,
        default=limits.bytes,
        metavar="N",
        help=f"bytes of a run, such as 500M or 2G; default: {limits.bytes // 1024**3}G",
    )
    group.add_argument(
        "--fetch-seconds",
        type=float,
        default=limits.seconds,
        metavar="N",
        help=f"after which no image is begun; default: {limits.seconds:,.0f}",
    )


def _hosts(text: str) -> AllowedHosts:
    try:
        return parse_hosts(text)
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d{1,15})([KMG]?)", text.upper())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes, such as 500M or 2G")
    return int(found[1]) * _UNITS[found[2]]


def open_fetcher(
    arguments: argparse.Namespace,
    settings: IngestSettings,
    pool: asyncpg.Pool,
    actor: Actor,
    on_progress: Callable[[FetchTotals], None],
) -> ImageFetcher | None:
    """Return what fetches the images of a run, or None without --fetch-images.

    Raises:
        CommandError: the media store cannot be opened, or --fetch-hosts is given without --fetch-images.
    """
    if not arguments.fetch_images:
        if arguments.fetch_hosts is not None:
            raise CommandError("--fetch-hosts has no effect without --fetch-images")
        return None
    try:
        media = MediaStore(open_store(settings.media))
    except StoreError as error:
        raise CommandError(f"the media store {error}") from error
    return ImageFetcher(
        pool,
        media,
        arguments.site,
        actor,
        hosts=arguments.fetch_hosts,
        base_url=getattr(arguments, "base_url", None) or "",
        limits=FetchLimits(arguments.fetch_count, arguments.fetch_bytes, arguments.fetch_seconds),
        on_progress=on_progress,
    )


def totals_line(totals: FetchTotals) -> str:
    """Return what was fetched, as a line for the summary."""
    size = f"{totals.bytes / 1024**2:,.1f} MiB"
    return f"images: {totals.fetched:,} fetched ({size}), {totals.known:,} known, {totals.failed:,} not fetched"
