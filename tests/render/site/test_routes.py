"""What is public is everywhere, what is not is nowhere, and nothing lags behind."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import lxml.html
import pytest

from shared.articles import Correction, Figure, Image, Paragraph, Related
from tests.leads import leads

SECRET = "Zebra"
SECRET_WORDS = ("zebra", "Zebra", "ngựa vằn", "ngua van", "ngua-van")


async def all_surfaces(portal: Any) -> dict[str, str]:
    """Return every document of the portal that is reachable by links."""
    seen: dict[str, str] = {}
    ahead = ["/", "/robots.txt", "/rss.xml", "/atom.xml", "/sitemap.xml", "/news-sitemap.xml", "/so-do-site"]
    ahead += ["/sitemap-pages.xml", "/sitemap-articles-1.xml", "/luu-tru/", "/tin-tuc/", "/van-hoa/", "/tag/ngua-van/"]
    ahead += ["/tin-tuc/rss.xml", "/van-hoa/atom.xml", "/tim-kiem", "/tim-kiem?q=zebra", "/tim-kiem?q=ngua+van"]
    ahead += ["/tim-kiem?q=zebra&sap-xep=ngay", "/tim-kiem?q=zebro", "/tim-kiem?q=bai&chuyen-muc=van-hoa"]
    while ahead:
        address = ahead.pop()
        if address in seen:
            continue
        got = await portal.get(address)
        seen[address] = got.text if got.status == 200 else ""
        links = re.findall(r'(?:href="|<loc>|<link>)(?:https://haihau\.example)?(/[^"<#]*)', got.text)
        ahead += [link.replace("&amp;", "&") for link in links if not link.startswith(("/theme/", "/stats/"))]
    return seen


def leaks(seen: dict[str, str]) -> list[str]:
    """Return the addresses that tell of the secret; a search page repeats its own query, which tells nothing."""
    found = []
    for address, text in seen.items():
        told = re.sub(r'value="[^"]*"|<title>[^<]*</title>|\?q=[^"]*"', "", text) if "tim-kiem" in address else text
        if any(word in told for word in SECRET_WORDS):
            found.append(address)
    return found


def secret(portal: Any, **fields: Any) -> Any:
    given = {
        "title": f"{SECRET} về làng",
        "slug": "zebra-ve-lang",
        "lead": "Con ngựa vằn đầu tiên.",
        "tags": ["ngựa vằn", "chung"],
        "also_in": ["van-hoa"],
        "body": [Paragraph("Một con ngựa vằn.")],
    }
    return portal.article(5, **{**given, **fields})


async def surround(portal: Any) -> None:
    for number in (3, 4, 6, 7):
        await portal.add(number, tags=["chung"])


async def test_published_article_is_on_every_page(portal: Any) -> None:
    """Page, home, lists, tag, month, feeds, sitemaps, site map, search and related articles show it."""
    await surround(portal)
    await portal.put(secret(portal))
    found = set(leaks(await all_surfaces(portal)))
    month = datetime.now(UTC) - timedelta(days=1) + timedelta(minutes=5, hours=7)
    expected = {
        "/zebra-ve-lang-5.html",
        "/",
        "/tin-tuc/",
        "/van-hoa/",
        "/tag/ngua-van/",
        "/tag/chung/",
        f"/luu-tru/{month:%Y/%m}/",
        "/rss.xml",
        "/atom.xml",
        "/tin-tuc/rss.xml",
        "/tin-tuc/atom.xml",
        "/van-hoa/rss.xml",
        "/van-hoa/atom.xml",
        "/sitemap-articles-1.xml",
        "/sitemap-pages.xml",
        "/news-sitemap.xml",
        "/so-do-site",
        "/tim-kiem?q=zebra",
        "/tim-kiem?q=ngua+van",
        "/tim-kiem?q=zebra&sap-xep=ngay",
        "/tim-kiem?q=zebro",
        "/bai-so-4-4.html",
        "/bai-so-6-6.html",
        "/bai-so-7-7.html",
    }
    assert expected <= found, expected - found


@pytest.mark.parametrize("state", ["killed", "unpublished", "archived"])
async def test_withdrawn_article_is_on_no_page(portal: Any, state: str) -> None:
    """Nothing shows it any more, its addresses are 410 or 404, and late or double events change nothing."""
    await surround(portal)
    published = secret(portal, old_urls=["http://old.example/tin/zebra.aspx?id=5"])
    await portal.put(published)
    assert leaks(await all_surfaces(portal))  # all of it is in memory now
    withdrawn = await portal.change(5, state=state)
    status = 410 if state == "killed" else 404

    async def is_gone() -> None:
        assert leaks(await all_surfaces(portal)) == []
        for address in ("/zebra-ve-lang-5.html", "/x-5.html", "/tin/zebra.aspx?id=5"):
            assert (await portal.get(address)).status == status, address
        assert (await portal.get("/tag/ngua-van/")).status == 404

    await is_gone()
    late = await portal.put(published)
    assert (late.version, late.status, late.is_new) == (2, "withdrawn", False)
    await portal.put(withdrawn)
    await is_gone()


@pytest.mark.parametrize("state", ["published", "scheduled", "approved"])
async def test_embargoed_article_is_on_no_page(portal: Any, state: str) -> None:
    """What is not to be seen yet is on no surface: no list, feed, sitemap, tag, month, search, count or neighbour."""
    await surround(portal)
    before = await all_surfaces(portal)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    await portal.put(secret(portal, state=state, embargo_until=ahead, priority=1, pinned_until=ahead))
    seen = await all_surfaces(portal)
    assert leaks(seen) == []
    assert seen == before  # not even a number has changed
    for address in ("/zebra-ve-lang-5.html", "/x-5.html", "/tag/ngua-van/"):
        assert (await portal.get(address)).status == 404


async def test_visibility_changes_by_time_without_a_write(portal: Any) -> None:
    """An embargo and a publication period end at their time, on cached pages too."""
    await surround(portal)
    for version, lead in enumerate(leads(0.5), 1):
        begin = datetime.now(UTC) + lead
        end = begin + lead
        await portal.put(secret(portal, version=version, embargo_until=begin, unpublish_at=end))
        before = await all_surfaces(portal)
        if datetime.now(UTC) >= begin:
            continue
        await asyncio.sleep((begin - datetime.now(UTC)).total_seconds() + 0.05)
        during = [await portal.get(address) for address in ("/zebra-ve-lang-5.html", "/")]
        if datetime.now(UTC) < end:
            break
    assert leaks(before) == []
    assert during[0].status == 200
    assert SECRET in during[1].text
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.05)
    assert (await portal.get("/zebra-ve-lang-5.html")).status == 404
    assert leaks(await all_surfaces(portal)) == []


async def test_redelivered_article_writes_nothing(portal: Any) -> None:
    """The whole history again leaves every row as it was, and every page its bytes and tag."""
    await surround(portal)
    first = secret(portal)
    await portal.put(first)
    second = await portal.change(5, title=f"{SECRET} trở lại")

    async def rows() -> list[Any]:
        tables = ("articles", "listings", "search", "old_addresses", "visibility_changes", "sites")
        return [await portal.pool.fetch(f"SELECT xmin, ctid, * FROM render.{table}") for table in tables]

    before, seen = await rows(), await all_surfaces(portal)
    tags = [(await portal.get(address)).headers.get("etag") for address in seen]
    for article in (first, second, portal.articles[3], first):
        await portal.put(article)
    assert await rows() == before
    assert await all_surfaces(portal) == seen
    assert [(await portal.get(address)).headers.get("etag") for address in seen] == tags


async def test_later_article_changes_only_pages_that_show_it(portal: Any) -> None:
    """Publishing leaves the pages of all others as they were, but the one to which it is now the next."""
    await surround(portal)
    paths = [f"/bai-so-{number}-{number}.html" for number in (3, 4, 6, 7)]
    before = [(await portal.get(path)).headers["etag"] for path in paths]
    await portal.add(8, tags=["chung"])
    after = [(await portal.get(path)).headers["etag"] for path in paths]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, True, False]


async def test_article_url_is_matched_by_its_number(portal: Any) -> None:
    """Any slug before the number leads to the newest address, in one step, with whatever query."""
    await portal.add(5)
    await portal.change(5, slug="ten-thu-hai")
    await portal.change(5, slug="ten-thu-ba")
    for address in ("/bai-so-5-5.html", "/ten-thu-hai-5.html", "/5.html", "/khong-phai-5.html?x=1"):
        got = await portal.get(address)
        assert (got.status, got.headers["location"]) == (301, "/ten-thu-ba-5.html"), address
    assert (await portal.get("/ten-thu-ba-5.html?utm_source=x")).status == 200
    assert (await portal.get("/khong-co-999999999999999999.html")).status == 404


async def test_redirect_keeps_the_parameters_of_a_campaign_and_no_others(portal: Any) -> None:
    """`utm_*` reaches the page that a redirect leads to, as it was sent; everything else is left behind."""
    await portal.add(5, old_urls=["/cu.html"])
    sent = "x=1&utm_source=zalo&utm_campaign=t%E1%BA%BFt+2027&fbclid=1&utm_medium=a<b"
    for address in ("/khong-phai-5.html", "/cu.html", "/tin-tuc"):
        got = await portal.get(f"{address}?{sent}")
        to = "/tin-tuc/" if address == "/tin-tuc" else "/bai-so-5-5.html"
        assert (got.status, got.headers["location"]) == (
            301,
            f"{to}?utm_source=zalo&utm_campaign=t%E1%BA%BFt+2027",
        )


async def test_page_number_without_a_list_is_no_article(portal: Any) -> None:
    """`/trang-5.html` does not lead to article 5, unless that has just this address."""
    await portal.add(5)
    assert (await portal.get("/trang-5.html")).status == 404
    await portal.change(5, slug="trang")
    assert (await portal.get("/trang-5.html")).status == 200


async def test_old_url_redirects_to_the_article(portal: Any) -> None:
    """Old URLs, with query or diacritics, redirect to the newest article; a present page wins over an old URL."""
    former = ["http://old.example/tin-tuc/cho-con-31.html", "/Default.aspx?tabid=7&id=9", "/tin/chợ%20cồn", "/?p=12"]
    await portal.add(5, old_urls=[*former, "/bai-so-6-6.html"])
    await portal.add(6)
    for address in ("/tin-tuc/cho-con-31.html", "/Default.aspx?tabid=7&id=9", "/tin/chợ cồn", "/?p=12"):
        got = await portal.get(address)
        assert (got.status, got.headers.get("location")) == (301, "/bai-so-5-5.html"), address
    assert (await portal.get("/Default.aspx?tabid=7&id=8")).status == 404
    assert "Bài số 6" in (await portal.get("/bai-so-6-6.html")).text
    await portal.change(5, old_urls=[], slug="moi")
    assert (await portal.get("/tin-tuc/cho-con-31.html")).status == 404


async def test_cached_pages_are_served_while_postgres_is_unavailable(portal: Any) -> None:
    """What was asked for before goes on being served; what was not is 503, and a time that runs out holds."""
    await portal.add(6)
    addresses = ("/bai-so-5-5.html", "/bai-so-6-6.html", "/rss.xml")
    for version, lead in enumerate(leads(1), 1):
        end = datetime.now(UTC) + lead
        await portal.add(5, version=version, unpublish_at=end)
        pages = {address: await portal.get(address) for address in addresses}
        if datetime.now(UTC) < end:
            break
    portal.looking.terminate()
    portal.pool.terminate()
    for address, before in pages.items():
        got = await portal.get(address)
        assert datetime.now(UTC) >= end or (got.status, got.body) == (200, before.body), address
    assert (await portal.get("/bai-so-6-6.html")).body == pages["/bai-so-6-6.html"].body
    lost = await portal.get("/tin-tuc/")
    assert (lost.status, lost.headers["retry-after"]) == (503, "5")
    assert "Trang tạm thời gián đoạn" in lost.text
    assert portal.portal.warnings()
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.05)
    assert (await portal.get("/bai-so-5-5.html")).status == 503


async def test_concurrent_requests_get_their_own_responses(portal: Any) -> None:
    """Requests at the same moment share work, never each other's pages, and all see what was just committed."""
    await portal.add(5, old_urls=["/a.aspx?id=5"])
    await portal.add(6, old_urls=["/a.aspx?id=6"])
    for title in ("Lần một", "Lần hai", "Lần ba"):
        await portal.change(5, title=title)
        asked = ["/bai-so-5-5.html", "/bai-so-6-6.html", "/a.aspx?id=5", "/a.aspx?id=6", "/tim-kiem?q=bai", "/"] * 8
        got = await asyncio.gather(*(portal.get(address) for address in asked))
        for address, answer in zip(asked, got, strict=True):
            if "aspx" in address:
                assert answer.headers["location"] == f"/bai-so-{address[-1]}-{address[-1]}.html"
            else:
                assert answer.status == 200
                assert address.startswith("/tim-kiem") or f"{title}</" in answer.text, address
                assert ("<h1>Bài số 6</h1>" in answer.text) == ("6-6" in address)


async def test_list_with_many_articles_has_pages(portal: Any) -> None:
    """A list of more than one page has them all, each article once; there is no page behind the last."""
    for number in range(1, 46):
        await portal.add(number)
    titles: list[str] = []
    for page in ("/tin-tuc/", "/tin-tuc/?trang=2", "/tin-tuc/?trang=3"):
        titles += re.findall(r"<h2><a href=\"/bai-so-\d+-(\d+)\.html", (await portal.get(page)).text)
    assert [int(title) for title in titles] == list(range(45, 0, -1))
    for wrong in ("4", "0", "x", "99999999999"):
        assert (await portal.get(f"/tin-tuc/?trang={wrong}")).status == 404


async def test_pinned_article_comes_first_until_its_time(portal: Any) -> None:
    """A pinned article leads the home page before a newer one, and no longer than it is pinned."""
    await portal.add(2)
    first = re.compile(r'lead-story.*?<h2><a href="/bai-so-(\d)', re.DOTALL)
    for version, lead in enumerate(leads(1), 1):
        end = datetime.now(UTC) + lead
        await portal.add(1, version=version, pinned_until=end)
        before = await portal.get("/")
        if datetime.now(UTC) < end:
            break
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.05)
    after = await portal.get("/")
    assert [first.findall(page.text)[0] for page in (before, after)] == ["1", "2"]


async def test_unknown_urls_are_not_found(portal: Any) -> None:
    """No address makes the portal fail."""
    for address in ("/\x00", "/\n", "/a\x00-5.html", "/tag/--/", "/luu-tru/0000/13/", "/sitemap-articles-0.xml", "//x"):
        assert (await portal.get(address)).status == 404, address
    for query in ('"', "-", "a" * 5000, "!&|<->'\\", "(((", "\x00", "đ" * 300):
        assert (await portal.get(f"/tim-kiem?q={quote(query)}")).status == 200, query


async def test_corrections_are_listed_newest_first_until_their_article_is_withdrawn(portal: Any) -> None:
    """Paged, linked from every page and from the article, with feeds; empty before the first one."""
    path = "/luu-tru/dinh-chinh/"
    await portal.add(100)
    empty = await portal.get(path)
    assert (empty.status, "Chưa có bài nào" in empty.text) == (200, True)
    assert (await portal.get(f"{path}trang-2.html")).status == 404
    assert (await portal.get(path[:-1])).headers["location"] == path
    at = datetime(2026, 11, 1, tzinfo=UTC)
    for number in range(1, 24):
        given = [Correction(f"Sửa số {number}", at + timedelta(hours=50 - number))]
        await portal.add(number, corrections=given)
    numbers = re.findall(r"Sửa số (\d+)</p>", (await portal.get(path)).text)
    assert [int(one) for one in numbers] == list(range(1, 21))
    assert "Sửa số 23" in (await portal.get(f"{path}trang-2.html")).text
    assert f'href="{path}"' in (await portal.get("/bai-so-100-100.html")).text
    assert f'Sửa số 1 <a href="{path}">' in (await portal.get("/bai-so-1-1.html")).text
    assert path in (await portal.get("/sitemap-pages.xml")).text
    later = [*portal.articles[23].corrections, Correction("Sửa lần hai", at + timedelta(days=9))]
    await portal.change(23, corrections=later)
    text = (await portal.get(path)).text
    assert text.index("Sửa lần hai") < text.index("Sửa số 23") < text.index("Sửa số 1</p>")
    for kind in ("rss", "atom"):
        assert "Sửa lần hai" in (await portal.get(f"{path}{kind}.xml")).text
    await portal.change(23, state="unpublished")
    for address in (path, f"{path}rss.xml", f"{path}atom.xml"):
        assert "Sửa lần hai" not in (await portal.get(address)).text


async def test_card_inside_a_text_follows_its_article_without_a_hole(portal: Any) -> None:
    """It shows title, address and picture as they are now, and is not there while its article is not public."""
    await portal.add(1)
    body = [Paragraph("Một."), Related("a-1", 1), Related("a-3", 3), Related("khong-co", 9), Paragraph("Hai.")]
    await portal.add(2, body=body)
    address = "/bai-so-2-2.html"

    async def cards() -> list[str]:
        text = (await portal.get(address)).text.split('<div class="side">', maxsplit=1)[0]
        return re.findall(r'<div class="inside">.*?<a href="([^"]+)">([^<]+)</a></p></div>', text)

    assert await cards() == [("/bai-so-1-1.html", "Bài số 1")]
    page = (await portal.get(address)).text
    assert '"mentions":[{"@type":"NewsArticle","headline":"Bài số 1"' in page
    assert page.count('href="/bai-so-1-1.html"') == 2  # the card, and the older article of its section
    await portal.change(1, slug="ten-moi", title="Tên mới")
    assert await cards() == [("/ten-moi-1.html", "Tên mới")]
    for version, lead in enumerate(leads(0.7), 1):
        soon = datetime.now(UTC) + lead
        await portal.add(3, version=version, embargo_until=soon, first_published_at=soon)
        before = await cards()
        if datetime.now(UTC) < soon:
            break
    assert len(before) == 1
    await asyncio.sleep((soon - datetime.now(UTC)).total_seconds() + 0.05)
    assert [path for path, _ in await cards()] == ["/ten-moi-1.html", "/bai-so-3-3.html"]
    await portal.change(1, state="killed")
    assert [path for path, _ in await cards()] == ["/bai-so-3-3.html"]
    await portal.change(3, unpublish_at=datetime.now(UTC) - timedelta(seconds=1))
    assert await cards() == []
    await portal.change(1, state="published")
    assert [path for path, _ in await cards()] == ["/ten-moi-1.html"]


async def test_text_in_another_language_is_marked_on_every_page(portal: Any) -> None:
    """Wherever a page shows title, kicker or lead of an English article, it says that it is English."""
    await surround(portal)
    english = {"language": "en", "title": "Rice harvest", "kicker": "Harvest notes", "lead": "A harvest of rice."}
    await portal.add(5, tags=["chung"], kind="photo", lead_image=Figure("", Image("/media/a.jpg", "A")), **english)
    await portal.add(8, tags=["chung"], body=[Related("a-5")])
    for number in range(10, 26):
        await portal.add(number, section="van-hoa")
    shown, articles = {}, [f"/bai-so-{number}-{number}.html" for number in (4, 5, 6, 8)]
    for path in ("/", "/tin-tuc/", "/tag/chung/", "/so-do-site", "/tim-kiem?q=harvest", *articles):
        page = lxml.html.fromstring((await portal.get(path)).text)
        texts = [one for one in page.xpath("//body//text()[contains(., 'arvest')]") if not one.is_attribute]
        languages = [one.getparent().xpath("ancestor-or-self::*[@lang][1]/@lang") for one in texts]
        assert set(map(tuple, languages)) <= {("en",)}, (path, texts, languages)
        shown[path] = len(languages)
    assert min(shown.values()) > 0, shown
