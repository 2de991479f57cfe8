"""`/front-page`: arranged once, by those who may publish on the whole site, and as the portal will show it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.ingest.structure.store import read_structure
from shared.site_structure import SiteStructure
from tests.ingest.conftest import Newsroom

PATH = "/front-page?site=haihau"
UNTIL = (datetime.now(UTC) + timedelta(days=1)).isoformat()


def slots(*articles: str, until: str = UNTIL, **more: Any) -> dict[str, Any]:
    return {"slots": [{"article": one, "until": until} for one in articles], **more}


async def published(api: Any, title: str, **fields: Any) -> str:
    article = str((await api.create(title, **fields))["id"])
    for version, name in enumerate(("submit", "approve", "publish"), 1):
        done = await api.call("POST", f"/articles/{article}/{name}", {"version": version}, "publish")
        assert done.status == 200, done.body
    return article


async def put(caller: Any, body: Any, if_match: str = "*", path: str = PATH) -> tuple[int, dict[str, Any]]:
    answer = await caller.call("PUT", path, body, if_match=if_match)
    return answer.status, answer.json()


async def test_front_page_is_arranged_audited_and_sent(newsroom: Newsroom) -> None:
    """Its order is what visitors get, the topic gets it once, and the audit has what was there before."""
    api, lan = newsroom.api, await newsroom.browser("publish:haihau", name="Lan")
    one, two, three = [await published(api, title) for title in ("Một", "Hai", "Ba")]
    empty = await lan.call("GET", PATH)
    assert (empty.headers["etag"], empty.json()["slots"], empty.json()["breaking"]) == ('"0"', [], None)
    bar = {"text": "Bão số 9", "article": two, "until": UNTIL}
    status, page = await put(lan, slots(two, one, breaking=bar), '"0"')
    assert status == 200, page
    assert [(at["source"], at["article"]["title"]) for at in page["order"]] == [
        ("slot", "Hai"),
        ("slot", "Một"),
        ("newest", "Ba"),
    ]
    assert page["slots"][0]["article"]["url"].startswith("https://haihau.example/hai-")
    assert page["breaking"]["is_shown"]
    rows = await api.context.pool.fetch("SELECT value FROM ingest.outbox WHERE topic = 'site-structure' ORDER BY id")
    sent = msgspec.json.decode(rows[-1]["value"], type=SiteStructure)
    assert [at.article for at in sent.front_page.slots] == [two, one]
    await put(lan, slots(two, one, breaking=bar))
    again = await api.context.pool.fetch("SELECT value FROM ingest.outbox WHERE topic = 'site-structure'")
    assert len(again) == len(rows)
    await put(lan, slots(three))
    (entry, *_) = (await api.call("GET", "/audit?kind=front_page", scope="admin")).json()["entries"]
    assert (entry["who"], entry["object"], entry["action"]) == ("Lan", "haihau", "edit")
    assert [at[0] for at in entry["details"]["slots"]] == [three]
    assert [at[0] for at in entry["details"]["before"]["slots"]] == [two, one]
    assert entry["details"]["before"]["breaking"] == "Bão số 9"


async def test_front_page_of_two_editors_is_not_overwritten_unseen(newsroom: Newsroom) -> None:
    """Of two who save what both have read, one gets 412; without a version it is 428; menus do not disturb."""
    api, lan, minh = newsroom.api, await newsroom.browser("publish:haihau"), await newsroom.browser("admin:haihau")
    one, two = await published(api, "Một"), await published(api, "Hai")
    answers = await asyncio.gather(put(lan, slots(one), '"0"'), put(minh, slots(two), '"0"'))
    assert sorted(status for status, _ in answers) == [200, 412]
    version = next(body["version"] for status, body in answers if status == 200)
    assert next(body for status, body in answers if status == 412)["version"] == version
    assert (await lan.call("PUT", PATH, slots(one))).status == 428
    await api.call("PUT", "/menus/main?site=haihau", {"items": [{"kind": "home"}]}, "publish", if_match="*")
    status, page = await put(lan, slots(two, one), f'"{version}"')
    assert (status, page["version"] > version) == (200, True)


async def test_front_page_shows_what_falls_out_and_why(newsroom: Newsroom) -> None:
    """Withdrawn, killed, discarded and draft articles are named with their reason; what follows moves up."""
    api, lan = newsroom.api, await newsroom.browser("publish:haihau")
    one, two, three = [await published(api, title) for title in ("Một", "Hai", "Ba")]
    draft = str((await api.create("Nháp"))["id"])
    status, page = await put(lan, slots(one, draft, two, three))
    assert (status, [at["reason"] for at in page["slots"]]) == (200, [None, "not_public", None, None])
    await api.call("POST", f"/articles/{one}/unpublish", {}, "publish")
    await api.call("POST", f"/articles/{two}/kill", {"reason": "x"}, "publish")
    await api.call("DELETE", f"/articles/{draft}", None, "publish", if_match="*")
    page = (await lan.call("GET", PATH)).json()
    assert [at["reason"] for at in page["slots"]] == ["withdrawn", "unknown", "killed", None]
    assert [at["article"]["title"] for at in page["order"]] == ["Ba"]
    again = {"slots": [{"article": at["id"], "until": at["until"]} for at in page["slots"]]}
    status, page = await put(lan, again)
    assert (status, page["left_out"], [at["id"] for at in page["slots"]]) == (200, [draft, two], [one, three])


async def test_front_page_at_a_time_has_scheduled_articles(newsroom: Newsroom) -> None:
    """The order at a later time has what is due by then, and lacks what has ended."""
    api, lan = newsroom.api, await newsroom.browser("publish:haihau")
    one, two = await published(api, "Một"), str((await api.create("Hai"))["id"])
    for version, name in enumerate(("submit", "approve"), 1):
        await api.call("POST", f"/articles/{two}/{name}", {"version": version}, "publish")
    at = datetime.now(UTC) + timedelta(hours=1)
    due = {"version": 3, "publish_at": at.isoformat()}
    assert (await api.call("POST", f"/articles/{two}/schedule", due, "publish")).status == 200
    status, page = await put(lan, slots(two, one))
    assert (status, page["slots"][0]["reason"]) == (200, "scheduled")
    titles = []
    for hours in (0, 2, 25):
        moment = (at + timedelta(hours=hours - 1)).isoformat().replace("+", "%2B")
        page = (await lan.call("GET", f"{PATH}&at={moment}")).json()
        titles.append([(one["source"], one["article"]["title"]) for one in page["order"]])
    assert titles == [[("slot", "Một")], [("slot", "Hai"), ("slot", "Một")], [("newest", "Hai"), ("newest", "Một")]]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"slots": [{"article": "khong-co", "until": UNTIL}]},
        {"slots": [{"article": "a\0", "until": UNTIL}]},
        {"slots": [{"article": "x" * 65, "until": UNTIL}]},
        {"slots": [{"article": "x"}]},
        {"slots": [{"article": "x", "until": "mai"}]},
        {"slots": [{"article": "x", "until": UNTIL}] * 10},
        {"slots": [], "breaking": {"text": "", "until": UNTIL}},
        {"slots": [], "breaking": {"text": "x" * 201, "until": UNTIL}},
        {"slots": [], "breaking": {"text": "x", "url": "javascript:alert(1)", "until": UNTIL}},
        {"slots": [], "breaking": {"text": "x", "url": "/a", "article": "b", "until": UNTIL}},
        {"slots": [], "breaking": {"text": "x", "until": "2020-01-01T00:00:00Z"}},
        {"slots": [], "breaking": {"text": "x"}},
        {"slots": [], "lead": "x"},
    ],
)
async def test_front_page_out_of_bounds_is_refused(newsroom: Newsroom, body: Any) -> None:
    """Unknown articles, ends in the past, too much and hostile addresses are named, and nothing is stored."""
    lan = await newsroom.browser("publish:haihau")
    status, answer = await put(lan, body)
    assert status == 422, answer
    assert answer["errors"]
    stored = await read_structure(newsroom.api.context.pool, "haihau")
    assert stored is None or stored.structure.front_page.version == 0


async def test_front_page_takes_no_article_of_another_site_and_no_editor_of_a_section(newsroom: Newsroom) -> None:
    """Articles of other sites are unknown; a right in one section is not one on the page of all."""
    api, lan = newsroom.api, await newsroom.browser("publish:haihau")
    other = await published(api, "Khác", site="giao-thuy")
    status, answer = await put(lan, slots(other))
    assert (status, answer["errors"][0]["field"]) == (422, "slots.0.article")
    assert "Khác" not in str(answer)
    minh = await newsroom.browser("publish:haihau:tin-tuc")
    assert (await put(minh, slots()))[0] == 403
    assert (await put(lan, slots(), path="/front-page?site=giao-thuy"))[0] == 403


async def test_breaking_bar_is_normalized(newsroom: Newsroom) -> None:
    """Its text is one line in NFC."""
    lan = await newsroom.browser("publish:haihau")
    bar = {"text": "Ba\u0303o ", "url": "/tin-tuc/", "until": UNTIL}
    status, page = await put(lan, slots(breaking=bar))
    assert (status, page["breaking"]["text"]) == (200, "Bão")
