"""Gives imported articles the images of the media store that were fetched from the addresses of their own.

Which address became which image is kept for each site, so that a second run fetches only the images that are missing.
"""

import asyncio
import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import asyncpg
import msgspec

from services.ingest.auth.actors import Actor
from services.ingest.imports.fetching.download import Downloader
from services.ingest.imports.fetching.targets import AllowedHosts, hosts_of
from services.ingest.imports.item import ImportItem
from services.ingest.imports.text_repair import visible_line
from services.ingest.imports.upsert import ImportedDraft
from services.ingest.imports.warnings import make_warning
from services.ingest.media.library import MediaStore, UploadedFile, store_image
from services.ingest.queries import SQL
from shared.articles import Figure
from shared.http.checked_connection import UnreachableError
from shared.http.problems import Problem
from shared.http.targets import RequestError, parse_target

CONCURRENT_DOWNLOADS_MAX = 4
UNANSWERED_MAX = 20
"""After so many failures of a host in a row, nothing more is fetched from it in the run."""
FILE_NAME_CHARACTERS_MAX = 200
SHOWN_URL_CHARACTERS_MAX = 300
_Other = TypeVar("_Other")


class _LimitError(RequestError):
    """Nothing more is fetched in this run, or nothing more from this host."""


@dataclass(frozen=True)
class FetchLimits:
    """The limits of a run; what is beyond them is fetched by the next run."""

    images: int = 100_000
    bytes: int = 20 * 1024**3
    seconds: float = 6 * 3600.0


@dataclass
class FetchTotals:
    """What a run has fetched so far."""

    fetched: int = 0
    known: int = 0
    """Images that a former run had fetched, counted once for each article."""
    failed: int = 0
    bytes: int = 0


class ImageFetcher:
    """Fetches images of a site into the media store.

    Args:
        pool: With the role of the service.
        media: The media store.
        site: The slug of the site that gets the images.
        actor: Who imports.
        hosts: Where to fetch from; None means the hosts of each item's own addresses, and of `base_url`.
        base_url: The address of the former site, if it is known.
        limits: Of the run.
        downloader: Downloads one image.
        on_progress: Called after each image.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        media: MediaStore,
        site: str,
        actor: Actor,
        *,
        hosts: AllowedHosts | None = None,
        base_url: str = "",
        limits: FetchLimits | None = None,
        downloader: Downloader | None = None,
        on_progress: Callable[[FetchTotals], None] = lambda _: None,
    ) -> None:
        self._pool, self._media, self._site, self._actor = pool, media, site, actor
        self._hosts = hosts
        self._base_url = base_url
        self._limits = limits or FetchLimits()
        self._downloader = downloader or Downloader()
        self._on_progress = on_progress
        self._downloads = asyncio.Semaphore(CONCURRENT_DOWNLOADS_MAX)
        self._ends_at = time.monotonic() + self._limits.seconds
        self._started = 0
        self._unanswered: Counter[str] = Counter()
        self._failures: dict[bytes, str] = {}
        self.totals = FetchTotals()

    def hosts_for(self, item: ImportItem) -> AllowedHosts:
        """Return the hosts from which the images of an item may be fetched."""
        return self._hosts or hosts_of([item.external_id.split(" ")[0], self._base_url])

    async def fetch(self, wanted: Mapping[str, AllowedHosts]) -> tuple[dict[str, str], dict[str, str]]:
        """Fetch images that the site does not have.

        Args:
            wanted: Absolute URLs, each with the hosts that are allowed for it and its redirects.

        Returns:
            The media IDs of those that are stored, and the reasons why others are not, by URL.
        """
        results = await asyncio.gather(*(self._fetch_one(url, hosts) for url, hosts in wanted.items()))
        stored: dict[str, str] = {}
        reasons: dict[str, str] = {}
        for url, result in zip(wanted, results, strict=True):
            if isinstance(result, RequestError):
                reasons[url] = str(result)
            else:
                stored[url] = result
        return stored, reasons

    async def _fetch_one(self, url: str, hosts: AllowedHosts) -> str | RequestError:
        key = hashlib.sha256(url.encode()).digest()[:16]
        if key in self._failures:
            return RequestError(self._failures[key])
        try:
            async with self._downloads:
                media = await self._download(url, hosts)
        except RequestError as error:
            self.totals.failed += 1
            if not isinstance(error, _LimitError):
                self._failures[key] = str(error)  # their number is limited as well
            return error
        finally:
            self._on_progress(self.totals)
        self.totals.fetched += 1
        return media

    async def _download(self, url: str, hosts: AllowedHosts) -> str:
        host = parse_target(url).host
        self._check_limits(host)
        self._started += 1
        with tempfile.TemporaryDirectory(prefix="presstally-media-") as folder:
            file = Path(folder) / "original"
            try:
                image = await self._downloader.download(url, hosts, file)
            except UnreachableError:
                self._unanswered[host] += 1
                raise
            self._unanswered[host] = 0
            self.totals.bytes += image.bytes
            uploaded = UploadedFile(file, image.digest, _file_name(url), image.bytes)
            try:
                item, _ = await store_image(self._pool, self._media, self._site, uploaded, None, self._actor)
            except Problem as problem:
                raise RequestError(problem.detail) from problem
        await self._pool.execute(SQL["save_fetched_image"], self._site, url, item.id, datetime.now(UTC))
        return item.id

    def _check_limits(self, host: str) -> None:
        limits = self._limits
        if self._started >= limits.images:
            raise _LimitError(f"the limit of {limits.images:,} images was reached; run the import again")
        if self.totals.bytes >= limits.bytes:
            raise _LimitError(f"the limit of {limits.bytes:,} bytes was reached; run the import again")
        if time.monotonic() >= self._ends_at:
            raise _LimitError(f"the limit of {limits.seconds:,.0f} s was reached; run the import again")
        if self._unanswered[host] >= UNANSWERED_MAX:
            raise _LimitError(f"the host {host} failed {UNANSWERED_MAX} times in a row")


def _file_name(url: str) -> str:
    name = visible_line(unquote(PurePosixPath(urlsplit(url).path).name, errors="replace"))
    return name[:FILE_NAME_CHARACTERS_MAX] or "image"


@dataclass
class _Wanted:
    """The images on other servers that a batch of drafts has."""

    urls: dict[str, AllowedHosts] = field(default_factory=dict)
    """Those that may be fetched."""
    refused: dict[tuple[int, str], str] = field(default_factory=dict)
    """Why others may not be, by position of the draft and URL: hosts depend on the item."""


def linked_images(draft: ImportedDraft) -> Iterator[tuple[str, str]]:
    """Yield the field and the URL of each image on another server."""
    figures = [("lead_image", draft.fields["lead_image"])]
    figures += [(f"body.{number}", block) for number, block in enumerate(draft.fields["body"])]
    for name, figure in figures:
        image = figure.image if isinstance(figure, Figure) else None
        if image is not None and not image.media and image.url.startswith(("http://", "https://")):
            yield name, image.url


async def with_stored_images(
    pool: asyncpg.Pool,
    site: str,
    batch: Sequence[tuple[ImportItem, ImportedDraft] | _Other],
    fetcher: ImageFetcher | None,
    *,
    dry_run: bool,
) -> list[tuple[ImportItem, ImportedDraft] | _Other]:
    """Return a batch whose drafts know which of their images the media store has, after fetching the others.

    Without a fetcher, images that a former run has fetched are used. In a dry run nothing is fetched; images that
    would be refused have their warnings. What is no draft in the batch stays as it is.
    """
    drafts = [one for one in batch if isinstance(one, tuple)]
    linked = [list(linked_images(draft)) for _, draft in drafts]
    urls = list(dict.fromkeys(url for found in linked for _, url in found))
    if not urls:
        return list(batch)
    rows = await pool.fetch(SQL["fetched_images"], site, urls)
    known = {row["url"]: (row["media"], row["fetched_at"]) for row in rows}
    reasons: dict[tuple[int, str], str] = {}
    if fetcher is not None:
        fetcher.totals.known += sum(url in known for found in linked for _, url in found)
        wanted = _wanted(drafts, linked, known, fetcher)
        reasons |= wanted.refused
        if not dry_run:
            stored, failures = await fetcher.fetch(wanted.urls)
            now = datetime.now(UTC)
            known |= {url: (media, now) for url, media in stored.items()}
            places = [(number, url) for number, found in enumerate(linked) for _, url in found]
            reasons |= {(number, url): failures[url] for number, url in places if url in failures}
    changed = iter(
        _with_images(item, draft, found, known, {url: reason for (n, url), reason in reasons.items() if n == number})
        for number, ((item, draft), found) in enumerate(zip(drafts, linked, strict=True))
    )
    return [(one[0], next(changed)) if isinstance(one, tuple) else one for one in batch]


def _wanted(
    drafts: list[tuple[ImportItem, ImportedDraft]],
    linked: list[list[tuple[str, str]]],
    known: Mapping[str, object],
    fetcher: ImageFetcher,
) -> _Wanted:
    wanted = _Wanted()
    for number, ((item, _), found) in enumerate(zip(drafts, linked, strict=True)):
        hosts = fetcher.hosts_for(item)
        for _, url in found:
            if url in known:
                continue
            try:
                hosts.check(parse_target(url))
            except RequestError as error:
                wanted.refused[number, url] = str(error)
            else:
                wanted.urls.setdefault(url, hosts)
    return wanted


def _with_images(
    item: ImportItem,
    draft: ImportedDraft,
    linked: Iterable[tuple[str, str]],
    known: Mapping[str, tuple[str, datetime]],
    reasons: Mapping[str, str],
) -> ImportedDraft:
    images = {url: known[url] for _, url in linked if url in known}
    warnings = [
        make_warning(
            "image", f"the image {url[:SHOWN_URL_CHARACTERS_MAX]} was not fetched: {reasons[url]}", name, item.line
        )
        for name, url in linked
        if url in reasons and url not in images
    ]
    return replace(
        draft,
        images={url: media for url, (media, _) in images.items()},
        images_changed_at=max((at for _, at in images.values()), default=None),
        warnings=[*draft.warnings, *(msgspec.structs.replace(one, place=item.place) for one in warnings)],
    )
