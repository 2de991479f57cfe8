"""`/xem-truoc/…`: the page's own bytes, kept by no cache and no search engine, and one 404 for all faults."""

from typing import Any

import msgspec
import pytest

from services.render.builder.store import save_page
from services.render.pages.preview import without_banner, without_tracker
from services.render.site import previews
from services.render.site.preview_source import PreviewSource, PreviewUnavailableError
from shared.articles import Block, Paragraph, Related
from shared.previews import PreviewedVersion
from shared.site_structure import StaticPage
from tests.render.site.test_preview_source import EXPIRES, SIGNED, ingest, response

PATH = f"/xem-truoc/{SIGNED}"


@pytest.fixture
def shows(portal: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let ingest answer with a version, None, or an error."""

    def answer(value: Any) -> None:
        async def fetch(self: PreviewSource, signed: str) -> PreviewedVersion | None:
            if isinstance(value, Exception):
                raise value
            return value  # type: ignore[no-any-return]

        monkeypatch.setattr(previews.PreviewSource, "fetch", fetch)

    return answer


async def test_preview_of_a_version_is_the_page_that_it_becomes(portal: Any, shows: Any) -> None:
    """Published with its neighbours around it, the page has the bytes of the preview apart from banner and tracker."""
    for number in (1, 2, 3):
        await portal.add(number, tags=["chợ"])
    version = portal.article(4, tags=["chợ"], title="Sắp đăng")
    shows(PreviewedVersion(version, False, EXPIRES))
    before = await portal.get(PATH)
    assert before.status == 200, before.text
    await portal.put(version)
    page = await portal.get(f"/{version.slug}-{version.number}.html")
    after = await portal.get(PATH)
    assert without_banner(before.text) == without_banner(after.text) == without_tracker(page.text)
    assert before.text != without_banner(before.text)


async def test_preview_of_a_static_page_is_the_page_that_it_becomes(portal: Any, shows: Any) -> None:
    """It has the cards of public articles and the bytes of the page; its banner names no version."""
    card = await portal.add(1, title="Có thẻ")
    body: list[Block] = [Paragraph("Thành lập năm 1888."), Related(card.id)]
    given: dict[str, Any] = {"site": "haihau", "id": "p-1", "version": 9, "slug": "gioi-thieu", "title": "Giới thiệu"}
    page = StaticPage(**given, state="published", modified_at=EXPIRES, body=body)
    shows(PreviewedVersion(None, True, EXPIRES, page))
    before = await portal.get(PATH)
    assert before.status == 200, before.text
    assert "Có thẻ" in before.text
    assert "bản đang soạn của trang." in before.text
    await save_page(portal.pool, page)
    public = await portal.get("/trang/gioi-thieu.html")
    assert without_banner((await portal.get(PATH)).text) == without_tracker(public.text)
    for view in ("in", "the", "dien-thoai", "may-tinh"):
        assert (await portal.get(f"{PATH}?xem={view}")).status == 200, view
    shows(PreviewedVersion(None, True, EXPIRES, msgspec.structs.replace(page, site="giao-thuy")))
    assert (await portal.get(PATH)).status == 404


async def test_preview_is_not_cached_indexed_or_passed_on(portal: Any, shows: Any) -> None:
    """Headers of every view: no store, no index, no referrer, the theme's policy, and no validator."""
    shows(PreviewedVersion(portal.article(1), True, EXPIRES))
    for view in ("", "?xem=trang", "?xem=in", "?xem=the", "?xem=dien-thoai", "?xem=may-tinh"):
        answer = await portal.get(PATH + view)
        assert answer.status == 200, view
        assert answer.headers["cache-control"] == "no-store"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert "frame-src 'self'" in answer.headers["content-security-policy"]
        assert not {"etag", "last-modified"} & answer.headers.keys()
        assert "/t.js" not in answer.text
        assert "/p.gif" not in answer.text
        assert SIGNED not in answer.text


async def test_preview_with_any_fault_is_the_same_404(portal: Any, shows: Any) -> None:
    """A guess, a link that has ended, another site's link and an odd URL get the bytes of every 404 of the site."""
    missing = await portal.get("/khong-co-trang-nay.html")
    shows(PreviewedVersion(portal.article(1), False, EXPIRES))
    odd = [
        f"{PATH}?xem=x",
        f"{PATH}?a=1",
        f"{PATH}?xem=in&xem=in",
        f"{PATH}/",
        f"{PATH}/x",
        "/xem-truoc/",
        "/xem-truoc",
    ]
    odd += [f"/xem-truoc/{one}" for one in ("x", "A" * 121, "A" * 21 + "é", "../" * 10, "A" * 30 + "%0d%0aX: y")]
    answers = [await portal.get(one) for one in odd]
    other = msgspec.structs.replace(portal.article(1), site="giao-thuy")
    for value in (None, PreviewedVersion(other, False, EXPIRES)):
        shows(value)
        answers.append(await portal.get(PATH))
    for answer in answers:
        assert (answer.status, answer.body) == (404, missing.body)
        assert answer.headers["cache-control"] == "no-store"
    assert (await portal.request("POST", PATH)).status == 405


async def test_preview_without_ingest_is_503_and_names_no_link(
    portal: Any, shows: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Visitors get the page of a short outage with Retry-After; the log has the reason and not the link."""
    shows(PreviewUnavailableError("TimeoutError"))
    answer = await portal.get(PATH)
    assert (answer.status, answer.headers["retry-after"], answer.headers["cache-control"]) == (503, "5", "no-store")
    shows(RuntimeError("lỗi"))
    assert (await portal.get(PATH)).status == 500
    printed = capsys.readouterr()
    assert SIGNED not in printed.out + printed.err


async def test_preview_asks_ingest_at_the_address_of_the_setting(portal: Any) -> None:
    """The version comes over HTTP from the internal port."""
    body = msgspec.json.encode(PreviewedVersion(portal.article(1), False, EXPIRES))
    async with ingest(response("200 OK", body)) as url:
        portal.articles_url = url
        assert (await portal.get(PATH)).status == 200
