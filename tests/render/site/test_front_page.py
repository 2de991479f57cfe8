"""The home page as its newsroom arranges it: slots, the breaking-news bar, and their ends without a request."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from services.render.builder import store
from services.render.queries import GENERATIONS
from services.render.site import page_reader
from shared.front_page import BreakingNews, FrontPage, FrontPageSlot
from shared.site_structure import SiteStructure, StructureSection
from tests.leads import leads

FAR = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def forget_structures() -> None:
    """Tests have databases of their own, and versions in common."""
    page_reader._structured.clear()


async def arrange(portal: Any, version: int, *slots: str | tuple[str, datetime], **fields: Any) -> bool:
    given = [(one, FAR) if isinstance(one, str) else one for one in slots]
    front_page = FrontPage(
        version=version, slots=[FrontPageSlot(article=name, until=until) for name, until in given], **fields
    )
    sections = [StructureSection(slug=one.slug, name=one.name, version=1) for one in portal.site.sections]
    structure = SiteStructure(
        site=portal.site.slug, version=version, modified_at=FAR, sections=sections, front_page=front_page
    )
    return await store.save_structure(portal.pool, structure)


def above(page: str) -> list[int]:
    """Return the numbers of the articles above the sections, in the order of importance."""
    shown = page.split('class="lead-story"')[1].split('<div class="band">', maxsplit=1)[0]
    return [int(one) for one in dict.fromkeys(re.findall(r'href="/[a-z0-9-]*?-(\d+)\.html"', shown))]


async def home(portal: Any) -> str:
    return str((await portal.get("/")).text)


async def test_slots_lead_the_home_page_in_their_order_then_pins_then_newest(portal: Any) -> None:
    """The first slot is the lead story; pinned articles follow the slots; each article is above the sections once."""
    for number in range(1, 31):
        await portal.add(number, pinned_until=FAR if number in (2, 7) else None)
    assert await arrange(portal, 5, "a-3", "a-1", "a-7")
    page = await home(portal)
    assert above(page)[:8] == [3, 1, 7, 2, 30, 29, 28, 27]
    sections = page.split('class="of-sections"', 1)[1]
    for number in (1, 3, 7):
        assert f"-{number}.html" not in sections
    assert await arrange(portal, 6)
    assert above(await home(portal))[:4] == [7, 2, 30, 29]


async def test_full_front_page_shows_all_its_slots_with_pictures(portal: Any) -> None:
    """Nine slots are the lead story and two rows; the newest articles are listed beside them."""
    for number in range(1, 41):
        await portal.add(number)
    await arrange(portal, 1, *(f"a-{number}" for number in range(9, 0, -1)))
    page = await home(portal)
    assert above(page) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 40, 39, 38, 37, 36, 35, 34, 33]
    shown = page.split('<div class="band">', maxsplit=1)[0]
    assert shown.count('<li class="card">') == 8


async def test_slot_of_an_article_that_is_not_public_is_filled_by_the_next(portal: Any) -> None:
    """Withdrawn, killed, expired or unknown: what follows moves up at once, and back when it is live again."""
    for number in range(1, 8):
        await portal.add(number)
    await arrange(portal, 1, "a-1", "khong-co", "a-2", "a-3")
    assert above(await home(portal))[:3] == [1, 2, 3]
    await portal.change(1, state="unpublished")
    assert above(await home(portal))[:2] == [2, 3]
    for lead in leads(0.3):
        end = datetime.now(UTC) + lead
        await portal.change(2, unpublish_at=end)
        before = above(await home(portal))
        if datetime.now(UTC) < end:
            break
    assert before[0] == 2
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.05)
    assert above(await home(portal))[0] == 3
    await portal.change(1, state="published")
    assert above(await home(portal))[:2] == [1, 3]
    await portal.change(1, section="van-hoa")
    assert above(await home(portal))[0] == 1
    await portal.change(1, state="killed")
    await portal.change(3, state="killed")
    assert above(await home(portal))[0] == 7


async def test_slot_and_bar_end_without_a_change_and_without_a_request(portal: Any) -> None:
    """At its end a slot gives way and the bar is gone: also from the cache, in the ETag, and in the site's version."""
    for number in range(1, 4):
        await portal.add(number)
    for version, lead in enumerate(leads(1), 1):
        end = datetime.now(UTC) + lead
        bar = BreakingNews(text="Bão <số 9> & mưa", url="/tin-tuc/", until=end)
        await arrange(portal, version, ("a-1", end), "a-2", breaking=bar)
        first = await portal.get("/")
        again = await portal.get("/", if_none_match=first.headers["etag"])
        if datetime.now(UTC) < end:
            break
    assert above(first.text)[:2] == [1, 2]
    assert '<a href="/tin-tuc/">Bão &lt;số 9&gt; &amp; mưa</a>' in first.text
    assert again.status == 304
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.05)
    after = await portal.get("/", if_none_match=first.headers["etag"])
    assert after.status == 200
    assert above(after.text)[:2] == [2, 3]
    assert 'class="breaking"' not in after.text
    row = await portal.pool.fetchrow(GENERATIONS["render"]["site_version"], "haihau")
    assert abs((row["changed_at"] - end).total_seconds()) < 0.001


async def test_breaking_bar_follows_its_article(portal: Any) -> None:
    """It links to the article while that is public, and is gone with it; without a target it is a text."""
    await portal.add(1)
    await arrange(portal, 1, breaking=BreakingNews(text="Mới", article="a-1", until=FAR))
    assert '<a href="/bai-so-1-1.html">Mới</a>' in await home(portal)
    await portal.change(1, slug="dia-chi-moi")
    assert '<a href="/dia-chi-moi-1.html">Mới</a>' in await home(portal)
    await portal.change(1, state="unpublished")
    assert "Mới" not in await home(portal)
    await arrange(portal, 2, breaking=BreakingNews(text="Mới", until=FAR))
    assert "</strong> Mới</p>" in await home(portal)
    assert 'class="breaking"' not in (await portal.get("/tin-tuc/")).text
    assert not await arrange(portal, 1)
    await arrange(portal, 3)
    assert 'class="breaking"' not in await home(portal)


async def test_front_page_of_equal_state_has_equal_bytes(portal: Any) -> None:
    """The order in which articles and the structure came does not matter."""
    await arrange(portal, 1, "a-2", "a-1", breaking=BreakingNews(text="Mới", article="a-1", until=FAR))
    for number in (2, 1, 3):
        await portal.add(number)
    one = (await portal.get("/")).body
    await arrange(portal, 2)
    await portal.get("/")
    await arrange(portal, 3, "a-2", "a-1", breaking=BreakingNews(text="Mới", article="a-1", until=FAR))
    assert (await portal.get("/")).body == one
