"""Images of imported articles in the media store: fetched once, kept by their URL, and reported if they are not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.auth.actors import Actor
from services.ingest.imports.fetching.download import Downloader, DownloadLimits
from services.ingest.imports.fetching.images import FetchLimits, ImageFetcher
from services.ingest.imports.fetching.targets import AllowedHosts, parse_hosts
from services.ingest.imports.item import ImportItem
from services.ingest.imports.pipeline import ImportOptions, ImportResult, run_import
from services.ingest.media.library import MediaStore
from shared.articles import Article, Figure, Image, Paragraph
from shared.object_store import open_store
from shared.sites import Site
from tests.ingest.imports.fetching.hostile_server import FakeNet, HostileServer, serve

HOSTS = parse_hosts("cu.example")
ACTOR = Actor("An")


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with serve() as running:
        yield running


@pytest.fixture
def net(server: HostileServer) -> FakeNet:
    return FakeNet(server)


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(open_store(str(tmp_path / "media")))


def item(number: int, *urls: str, **fields: Any) -> ImportItem:
    body = [Paragraph("x"), *(Figure("Chú thích", Image(url, "Ảnh")) for url in urls)]
    given = {"external_id": f"e-{number}", "title": f"Bài {number}", "body": body, "section": "tin-tuc"}
    return ImportItem(place=f"item {number}", **{**given, **fields})


class Importer:
    """Imports items as the command does, with the network of the test."""

    def __init__(self, pool: asyncpg.Pool, media: MediaStore, site: Site, net: FakeNet) -> None:
        self.pool, self.media, self.site, self.net = pool, media, site, net

    def fetcher(self, hosts: AllowedHosts | None = HOSTS, limits: FetchLimits | None = None) -> ImageFetcher:
        downloader = Downloader(DownloadLimits(seconds=2), self.net.resolve, self.net.connect)
        site, limits = self.site.slug, limits or FetchLimits()
        return ImageFetcher(
            self.pool, self.media, site, ACTOR, hosts=hosts, limits=limits, downloader=downloader, base_url=""
        )

    async def run(self, *items: ImportItem, fetcher: ImageFetcher | None = None, **more: Any) -> list[ImportResult]:
        options = ImportOptions(site=self.site, format="ndjson", file_name="a", actor=ACTOR, fetcher=fetcher, **more)
        return [result async for result in run_import(self.pool, iter(items), options)]

    async def article(self, result: ImportResult, column: str = "content") -> Article:
        content = await self.pool.fetchval(f"SELECT {column} FROM ingest.articles WHERE id = $1", result.article)
        return msgspec.json.decode(content, type=Article)

    async def images(self, result: ImportResult, column: str = "content") -> list[str]:
        body = (await self.article(result, column)).body
        return [one.image.url for one in body if isinstance(one, Figure) and one.image is not None]


@pytest.fixture
def importer(pool: asyncpg.Pool, media: MediaStore, site: Site, net: FakeNet) -> Importer:
    return Importer(pool, media, site, net)


async def test_import_fetches_images_into_the_media_store(importer: Importer, net: FakeNet, tmp_path: Path) -> None:
    """An article has its images from the media store, with their captions and alternative texts."""
    fetcher = importer.fetcher()
    lead = Figure("Bìa", Image("http://cu.example/bia.png", "Ảnh bìa"))
    urls = ("http://cu.example/a.png", "http://cu.example/b.png", "http://cu.example/a.png")
    (result,) = await importer.run(item(1, *urls, lead_image=lead), fetcher=fetcher, publish=True)
    assert (result.status, result.state, result.warnings) == ("created", "published", [])
    article = await importer.article(result, "live")
    figures = [one for one in (article.lead_image, *article.body) if isinstance(one, Figure)]
    assert [(one.caption, one.image and one.image.alt) for one in figures[:2]] == [
        ("Bìa", "Ảnh bìa"),
        ("Chú thích", "Ảnh"),
    ]
    assert all(one.image and one.image.media and one.image.url.startswith("/media/") for one in figures)
    assert all(one.image and (tmp_path / "media/originals" / str(one.image.media)).exists() for one in figures)
    assert sorted(net.server.paths) == ["/a.png", "/b.png", "/bia.png"]  # each once
    assert (fetcher.totals.fetched, fetcher.totals.failed) == (3, 0)
    row = await importer.pool.fetchrow("SELECT file_name, who FROM ingest.media WHERE file_name = 'bia.png'")
    assert (row["file_name"], row["who"]) == ("bia.png", "An")


async def test_import_reports_each_image_that_is_not_fetched(importer: Importer, net: FakeNet) -> None:
    """An image that is not fetched is a warning of its article with place and reason, and is linked as before."""
    urls = [f"http://cu.example/{name}" for name in ("missing", "a.png", "page")]
    urls += ["http://khac.example/a.png", "http://cu.example:8080/a.png", "http://cu.example/cut-off"]
    (result,) = await importer.run(item(1, *urls, line=7), fetcher=importer.fetcher(), publish=True)
    assert (result.status, result.state) == ("created", "published")
    images = [one for one in result.warnings if one.kind == "image"]
    assert [(one.field, one.place, one.line) for one in images] == [
        (f"body.{number}", "item 1", 7) for number in (1, 3, 4, 5, 6)
    ]
    for warning, url, reason in zip(
        images,
        [url for url in urls if not url.endswith("example/a.png") or "khac" in url],
        ["404 Not Found", "the type text/html", "khac.example is not allowed", "the port 8080", "it ended after"],
        strict=True,
    ):
        assert f"the image {url} was not fetched: " in str(warning)
        assert reason in str(warning)
    shown = await importer.images(result, "live")
    assert [url for url in shown if not url.startswith("/media/")] == [url for url in urls if url != urls[1]]
    assert "khac.example" not in net.asked


async def test_import_file_that_is_no_image_is_reported(importer: Importer) -> None:
    """What begins as an image but cannot be decoded is linked as before."""
    (broken,) = await importer.run(item(2, "http://cu.example/damaged.png"), fetcher=importer.fetcher())
    assert "was not fetched: The file" in str(broken.warnings[0])
    assert await importer.images(broken) == ["http://cu.example/damaged.png"]


async def test_import_second_run_fetches_only_what_is_missing(importer: Importer, net: FakeNet) -> None:
    """Images are fetched once; one that failed is fetched by the next run, and then nothing is left to do."""
    items = [item(1, "http://cu.example/a.png", "http://cu.example/sau.png"), item(2, "http://cu.example/a.png")]
    whole = net.server.answer
    net.server.answer = lambda client, path: (  # type: ignore[method-assign]
        net.server._missing(client, "") if "sau" in path else whole(client, path)
    )
    first = await importer.run(*items, fetcher=importer.fetcher(), publish=True)
    assert [len(one.warnings) for one in first] == [1, 0]
    net.server.answer = whole  # type: ignore[method-assign]
    net.server.paths.clear()
    second = await importer.run(*items, fetcher=importer.fetcher(), publish=True)
    assert [(one.status, one.version, len(one.warnings)) for one in second] == [("changed", 2, 0), ("unchanged", 1, 0)]
    assert net.server.paths == ["/sau.png"]
    assert all(url.startswith("/media/") for url in await importer.images(second[0], "live"))
    for fetcher in (importer.fetcher(), None):
        third = await importer.run(*items, fetcher=fetcher, publish=True)
        assert [(one.status, one.version) for one in third] == [("unchanged", 2), ("unchanged", 1)]
    assert net.server.paths == ["/sau.png"]
    assert await importer.pool.fetchval("SELECT count(*) FROM ingest.revisions") == 3


async def test_import_without_fetching_keeps_the_images_of_a_former_run(importer: Importer, net: FakeNet) -> None:
    """A changed article has the images that were fetched before, also if this run fetches none."""
    (first,) = await importer.run(item(1, "http://cu.example/a.png"), fetcher=importer.fetcher())
    changed = item(1, "http://cu.example/a.png", "http://cu.example/b.png", lead="Mới")
    (second,) = await importer.run(changed)
    assert (second.status, second.article) == ("changed", first.article)
    images = await importer.images(second)
    assert (images[0].startswith("/media/"), images[1]) == (True, "http://cu.example/b.png")
    assert net.server.paths == ["/a.png"]


async def test_import_fetching_later_keeps_what_editors_changed(importer: Importer) -> None:
    """Images that are fetched later replace the links only: texts of editors stay, and drafts of theirs stay drafts."""
    same = item(1, "http://cu.example/a.png")
    (first,) = await importer.run(same, publish=True)
    edited = msgspec.structs.replace(await importer.article(first), title="Đã sửa", state="draft", version=2)
    await importer.pool.execute(
        "UPDATE ingest.articles SET state = 'draft', version = 2, title = 'Đã sửa', content = $2 WHERE id = $1",
        first.article,
        msgspec.json.encode(edited).decode(),
    )
    (second,) = await importer.run(same, fetcher=importer.fetcher(), publish=True)
    assert second.status == "changed"
    live, head = await importer.article(second, "live"), await importer.article(second)
    assert (live.title, live.state, head.title, head.state) == ("Bài 1", "published", "Đã sửa", "draft")
    for column in ("live", "content"):
        assert [url.startswith("/media/") for url in await importer.images(second, column)] == [True]


@pytest.mark.parametrize("state", ["in_review", "approved", "killed", "unpublished"])
async def test_import_fetching_later_leaves_articles_with_editors_alone(importer: Importer, state: str) -> None:
    """What editors have submitted, approved or withdrawn is unchanged, and fails nothing."""
    same = item(1, "http://cu.example/a.png")
    (first,) = await importer.run(same)
    await importer.pool.execute(
        "UPDATE ingest.articles SET state = $2, content = content || jsonb_build_object('state', $2::text)"
        " WHERE id = $1",
        first.article,
        state,
    )
    (second,) = await importer.run(same, fetcher=importer.fetcher())
    assert (second.status, second.version, second.state) == ("unchanged", 1, state)


async def test_import_dry_run_connects_to_nothing(importer: Importer, net: FakeNet, tmp_path: Path) -> None:
    """A dry run reports the images that would be refused, and fetches and stores nothing."""
    found = item(1, "http://cu.example/a.png", "http://khac.example/a.png", "https://cu.example:22/")
    (result,) = await importer.run(found, fetcher=importer.fetcher(), dry_run=True)
    assert ["is not allowed: see --fetch-hosts" in str(one) for one in result.warnings] == [True, True]
    assert (net.asked, net.server.connections) == ([], 0)
    assert await importer.pool.fetchval("SELECT count(*) FROM ingest.media") == 0


async def test_import_hosts_of_the_item_are_allowed_by_default(importer: Importer) -> None:
    """Without a list of hosts, images come from the host of the article's own address, and from no other."""
    urls = ("http://www.cu.example/a.png", "http://khac.example/b.png")
    found = [item(1, *urls, external_id="https://cu.example/?p=1 1"), item(2, *urls)]
    first, second = await importer.run(*found, fetcher=importer.fetcher(None))
    assert [str(one).split(" was ")[0] for one in first.warnings] == ["body.2 the image http://khac.example/b.png"]
    assert [one.startswith("/media/") for one in await importer.images(first)] == [True, False]
    assert len(second.warnings) == 2 - 1, "the first image is known by now"


async def test_import_limits_of_a_run_are_kept_and_the_next_goes_on(importer: Importer, net: FakeNet) -> None:
    """After its limit of images, bytes or seconds a run fetches nothing more, and says so; the next run continues."""
    urls = [f"http://cu.example/{number}.png" for number in range(6)]
    for limits, fetched in ((FetchLimits(images=2), 2), (FetchLimits(bytes=1), 1), (FetchLimits(seconds=0), 0)):
        fetcher = importer.fetcher(limits=limits)
        (result,) = await importer.run(item(1, *urls), fetcher=fetcher)
        assert fetched <= fetcher.totals.fetched <= fetched + 3  # those that run at once
        assert all("was reached; run the import again" in str(one) for one in result.warnings)
        assert len(result.warnings) == 6 - fetcher.totals.known - fetcher.totals.fetched
    (last,) = await importer.run(item(1, *urls), fetcher=importer.fetcher())
    assert last.warnings == []
    assert len(net.server.paths) == 6


async def test_import_gives_up_a_host_that_does_not_answer(importer: Importer, net: FakeNet) -> None:
    """After 20 failures in a row a host is left alone, so that a dead server does not cost hours."""
    net.answers["chet.example"] = ["8.8.8.8"]

    def connect(address: str, port: int, timeout_seconds: float) -> Any:
        net.connected.append((address, port))
        raise OSError(113, "No route to host")

    fetcher = ImageFetcher(
        importer.pool,
        importer.media,
        importer.site.slug,
        ACTOR,
        hosts=parse_hosts("chet.example"),
        downloader=Downloader(resolve=net.resolve, connect=connect),
    )
    items = [item(n, *(f"http://chet.example/{n}-{m}.png" for m in range(10))) for n in range(5)]
    results = await importer.run(*items, fetcher=fetcher)
    assert 20 <= len(net.connected) <= 24
    assert "failed 20 times in a row" in str(results[-1].warnings[-1])


async def test_import_images_belong_to_their_site(importer: Importer, site: Site) -> None:
    """What was fetched for one site is not used by another."""
    await importer.run(item(1, "http://cu.example/a.png"), fetcher=importer.fetcher())
    importer.site = msgspec.structs.replace(site, slug="giao-thuy")
    (other,) = await importer.run(item(1, "http://cu.example/a.png"))
    assert await importer.images(other) == ["http://cu.example/a.png"]
