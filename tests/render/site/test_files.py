"""Documents of public articles: who gets them, as what, in parts, and when they are gone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import obstore
import pytest
from starlette.requests import Request

from services.render.builder.store import save_page
from services.render.site.files import CHUNK_BYTES, Files
from shared.articles import File
from shared.http.problems import Problem
from shared.object_store import FILES, open_store
from shared.site_structure import StaticPage
from shared.sites import Sites

AT = datetime(2026, 11, 29, tzinfo=UTC)
ID = "0123456789abcdef" * 2
CONTENT = bytes(range(256)) * 10
URL = f"/tep/{ID}/nghi-quyet-12.pdf"
BLOCK = File(URL, "Nghị quyết 12/NQ “về đất”.pdf", ID, len(CONTENT), "application/pdf")


class Downloads:
    """Asks for files as the server does."""

    def __init__(self, portal: Any) -> None:
        self._portal = portal
        self.store = open_store(portal.media)
        self._files = Files(portal.pools, Sites({portal.site.slug: portal.site}), self.store)

    async def get(self, url: str = URL, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        file_id, _, name = url.removeprefix("/tep/").partition("/")
        named = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
        scope = {
            "type": "http",
            "method": method,
            "path": url,
            "path_params": {"file_id": file_id, "name": name},
            "headers": [(b"host", b"haihau.example"), *named],
        }
        try:
            response = await self._files.file(Request(scope))
        except Problem as problem:
            response = problem.response()
        body = bytes(getattr(response, "body", b"") or b"")
        if hasattr(response, "body_iterator"):
            body = b"".join([chunk async for chunk in response.body_iterator])
        return response.status_code, dict(response.headers), body


@pytest.fixture
async def downloads(portal: Any) -> Downloads:
    found = Downloads(portal)
    await obstore.put_async(found.store, FILES + ID, CONTENT)
    return found


async def test_file_of_public_article_is_an_attachment_that_cannot_run(portal: Any, downloads: Downloads) -> None:
    """A download has its Vietnamese name, its type, and headers by which no browser shows or runs it."""
    await portal.add(1, body=[BLOCK])
    status, headers, body = await downloads.get(cookie="a=1")
    assert (status, body) == (200, CONTENT)
    assert headers["content-disposition"] == (
        'attachment; filename="Nghi quyet 12 NQ _ve dat_.pdf"; '
        "filename*=UTF-8''Ngh%E1%BB%8B%20quy%E1%BA%BFt%2012%20NQ%20%E2%80%9Cv%E1%BB%81%20%C4%91%E1%BA%A5t%E2%80%9D.pdf"
    )
    assert headers["content-type"] == "application/pdf"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["cache-control"] == "public, max-age=86400, immutable"
    assert (headers["content-length"], headers["accept-ranges"]) == (str(len(CONTENT)), "bytes")
    assert not {"set-cookie", "vary"} & set(headers)
    assert (await downloads.get(if_none_match=headers["etag"]))[0] == 304


@pytest.mark.parametrize(
    "change",
    [
        {"state": "unpublished"},
        {"state": "killed"},
        {"body": []},
        {"embargo_until": datetime.now(UTC) + timedelta(hours=1)},
        {"unpublish_at": datetime.now(UTC) - timedelta(seconds=1)},
    ],
)
async def test_file_is_gone_with_its_article(portal: Any, downloads: Downloads, change: dict[str, Any]) -> None:
    """The file of an article that is withdrawn, or that does not offer it any more, is not there."""
    await portal.add(1, body=[BLOCK])
    assert (await downloads.get())[0] == 200
    await portal.change(1, **change)
    status, headers, body = await downloads.get()
    assert (status, headers["cache-control"]) == (404, "no-store")
    assert CONTENT[:50] not in body


async def test_file_of_no_public_article_does_not_exist(portal: Any, downloads: Downloads) -> None:
    """A stored file of a draft, which the portal does not know, is 404 like one that does not exist."""
    await portal.add(1)
    unknown = await downloads.get(f"/tep/{'f' * 32}/a.pdf")
    assert await downloads.get() == unknown
    assert unknown[0] == 404


async def test_file_that_another_article_still_offers_stays(portal: Any, downloads: Downloads) -> None:
    """One of two articles is withdrawn: the other one still offers the file."""
    await portal.add(1, body=[BLOCK])
    await portal.add(2, body=[File(f"/tep/{ID}/ten-khac.pdf", "Tên khác", ID, 1, "application/pdf")])
    await portal.change(1, state="killed")
    status, headers, _ = await downloads.get()
    assert (status, headers["location"]) == (301, f"/tep/{ID}/ten-khac.pdf")
    status, headers, _ = await downloads.get(f"/tep/{ID}/ten-khac.pdf")
    assert (status, "Ten khac.pdf" in headers["content-disposition"]) == (200, True)


@pytest.mark.parametrize("name", ["x.exe", "nghi-quyet-12.pdf.html", "nghi-quyet-12.hta", "%2e%2e"])
async def test_file_under_another_name_redirects_to_its_own(portal: Any, downloads: Downloads, name: str) -> None:
    """Nobody can make a link that saves a document as a program: other names redirect."""
    await portal.add(1, body=[BLOCK])
    status, headers, body = await downloads.get(f"/tep/{ID}/{name}")
    assert (status, headers["location"], body) == (301, URL, b"")


@pytest.mark.parametrize("name", ["x", "0" * 31, "0" * 33, "G" * 32, "../" * 3, "0" * 64, "%00"])
async def test_file_of_invalid_id_is_not_looked_up(portal: Any, downloads: Downloads, name: str) -> None:
    """Only ids that ingest gives are looked up."""
    assert (await downloads.get(f"/tep/{name}/a.pdf"))[0] == 404


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=2550-", 2_550, 2_560),
        ("bytes=-10", 2_550, 2_560),
        ("bytes=0-99999999", 0, 2_560),
        ("bytes=-99999999", 0, 2_560),
        ("bytes=1-2,5-6", 0, 2_560),
        ("bytes=-", 0, 2_560),
        ("bytes=b-a", 0, 2_560),
        ("lines=1-2", 0, 2_560),
        ("bytes=٣-٤", 0, 2_560),
        ("bytes=5-4", 0, 2_560),
        ("bytes=2559-0", 0, 2_560),
        ("bytes=99999999-5", 0, 2_560),
        ("bytes=0-0,5-", 0, 2_560),
        ("bytes", 0, 2_560),
        ("bytes=5", 0, 2_560),
        ("bytes = 5-9", 0, 2_560),
        ("BYTES=10-19", 10, 20),
        ("bytes= 10-19", 10, 20),
    ],
)
async def test_file_is_served_in_parts(portal: Any, downloads: Downloads, asked: str, begin: int, end: int) -> None:
    """A range is that part of the file; what is no single range gets all of it."""
    await portal.add(1, body=[BLOCK])
    status, headers, body = await downloads.get(range=asked.encode().decode("latin-1"))
    assert body == CONTENT[begin:end]
    is_part = end - begin < len(CONTENT)
    assert (status, headers.get("content-range")) == (
        (206, f"bytes {begin}-{end - 1}/{len(CONTENT)}") if is_part else (200, None)
    )


@pytest.mark.parametrize("asked", ["bytes=2560-", "bytes=-0", "bytes=99999999-", "bytes=2560-2560"])
async def test_range_outside_of_the_file_is_416(portal: Any, downloads: Downloads, asked: str) -> None:
    """A part that does not exist is 416 with the size."""
    await portal.add(1, body=[BLOCK])
    status, headers, _ = await downloads.get(range=asked)
    assert (status, headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


async def test_range_of_another_version_gets_the_whole_file(portal: Any, downloads: Downloads) -> None:
    """A range on condition of another entity tag is ignored."""
    await portal.add(1, body=[BLOCK])
    for other in ('"other"', f'W/"{ID}"', "Tue, 01 Dec 2026 00:00:00 GMT", ID):
        assert (await downloads.get(range="bytes=0-9", if_range=other))[0] == 200, other
    assert (await downloads.get(range="bytes=0-9", if_range=f'"{ID}"'))[0] == 206


async def test_head_has_the_headers_without_the_file(portal: Any, downloads: Downloads) -> None:
    """HEAD reports the size and reads nothing."""
    await portal.add(1, body=[BLOCK])
    status, headers, body = await downloads.get(method="HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(CONTENT)), b"")


@pytest.mark.parametrize("asked", ["bytes=0-1", "bytes=99999999-"])
async def test_head_with_a_range_is_that_of_the_whole_file(portal: Any, downloads: Downloads, asked: str) -> None:
    """Only GET has ranges (RFC 9110, 14.2)."""
    await portal.add(1, body=[BLOCK])
    status, headers, _ = await downloads.get(method="HEAD", range=asked)
    assert (status, headers["content-length"], "content-range" in headers) == (200, str(len(CONTENT)), False)


@pytest.mark.parametrize(("wanted", "status"), [(f'"x", "{ID}"', 206), ("*", 206), ('"x"', 412), (f'W/"{ID}"', 412)])
async def test_part_of_another_file_than_the_named_one_is_412(
    portal: Any, downloads: Downloads, wanted: str, status: int
) -> None:
    """A download that goes on names the file that it began: parts of two files are never put together."""
    await portal.add(1, body=[BLOCK])
    assert (await downloads.get(if_match=wanted, range="bytes=5-"))[0] == status


async def test_large_file_is_read_in_chunks(portal: Any, downloads: Downloads) -> None:
    """A file of several chunks arrives complete."""
    content = bytes(CHUNK_BYTES) + b"end" + bytes(CHUNK_BYTES)
    await obstore.put_async(downloads.store, FILES + ID, content)
    await portal.add(1, body=[BLOCK])
    assert (await downloads.get())[2] == content
    assert (await downloads.get(range=f"bytes={CHUNK_BYTES - 1}-{CHUNK_BYTES + 2}"))[2] == b"\0end"


async def test_file_of_lost_store_is_404_or_503(portal: Any, downloads: Downloads) -> None:
    """A file that the store has lost is 404, an unavailable database 503, and neither is cached."""
    await portal.add(1, body=[BLOCK])
    await obstore.delete_async(downloads.store, FILES + ID)
    assert (await downloads.get())[0] == 404
    portal.pool.terminate()
    status, headers, _ = await downloads.get()
    assert (status, headers["cache-control"]) == (503, "no-store")


async def test_portal_routes_files_and_keeps_a_section_of_that_name(portal: Any) -> None:
    """The route takes an id and a name; other paths below /tep/ are the portal's pages."""
    assert (await portal.get("/tep/x/y.pdf")).status == 404
    assert (await portal.get("/tep/")).status == 404


async def test_file_of_a_public_static_page_is_there_until_it_is_withdrawn(portal: Any, downloads: Downloads) -> None:
    """A page such as "Biểu mẫu" offers files as articles do; another site's page offers nothing here."""
    page = {"site": portal.site.slug, "id": "p-1", "slug": "bieu-mau", "title": "Biểu mẫu", "modified_at": AT}
    elsewhere = StaticPage(**{**page, "site": "giao-thuy"}, version=1, state="published", body=[BLOCK])
    assert await save_page(portal.pool, elsewhere)
    assert (await downloads.get())[0] == 404
    assert await save_page(portal.pool, StaticPage(**page, version=1, state="published", body=[BLOCK]))
    status, headers, body = await downloads.get()
    assert (status, body, headers["content-type"]) == (200, CONTENT, "application/pdf")
    assert (await downloads.get(f"/tep/{ID}/ten-cu.pdf"))[1]["location"] == URL
    assert await save_page(portal.pool, StaticPage(**page, version=2, state="withdrawn", body=[BLOCK]))
    assert (await downloads.get())[0] == 404
