"""Forms that no browser sends: whatever their fields have, pages answer."""

import random
from urllib.parse import urlencode

import pytest

from services.ingest.newsroom.pages import ROOT
from tests.ingest.api.route_rights import World
from tests.ingest.conftest import HTTPS, Browser
from tests.ingest.conftest import Newsroom as People
from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.page_rights import OWN_ACCOUNT, PAGES, PLACES, PUBLIC, Need, Objects, Target

HOSTILE = [
    "",
    "²",
    "-1",
    "9" * 5_000,
    "\x00",
    "[{}]",
    "{",
    "up:²",
    "drop:99",
    "\u202e",
    "https://[",
    "2030-13-40T99:99",
    "1\nx: y",
    "Ấ",
]
FIELDS = """
    action also_in alt article authors body body_format breaking_text breaking_until bulk confirmed correction code
    current_password date_precision email embargo_until focus grant grant/haihau/ into item kind label language
    lead lead_image level link move name next note old_urls part password pinned_until position priority publish_at
    published_at reason repeated section seo_canonical session site slug source_name source_url state tags target
    title translation_of until url version x y
"""
ACTIONS = {
    "action": [
        "save",
        "live",
        "publish",
        "submit",
        "refuse",
        "approve",
        "preview",
        "describe",
        "merge",
        "remove",
        "lock",
        "withdraw",
    ],
    "part": ["name", "password", "two_steps", "confirm", "codes", "session"],
    "bulk": ["tag", "section"],
    "body_format": ["blocks"],
    "section": ["tin-tuc"],
    "version": ["1"],
    "title": ["Bài"],
}
"""Values of fields that a page goes on with."""


@pytest.mark.parametrize("name", [one for one in [*PAGES, *PUBLIC, *OWN_ACCOUNT] if one.startswith("POST")])
async def test_no_form_breaks_a_page(pages: Pages, newsroom: People, name: str) -> None:
    """Whatever the fields of a form have, its page answers, and says what is wrong."""
    need = PAGES.get(name, Need("", "any section"))
    browser = await newsroom.browser("admin:haihau")
    target = Target(await Objects(World(newsroom.api)).make(name, need, PLACES["own section"]), PLACES["own section"])
    path = name.split(" ")[1].format(id=target.name, slug=target.name, step="schedule")
    chance = random.Random(7)
    for number in range(40):
        fields = {
            one: chance.choice(HOSTILE + ACTIONS.get(one, []) * 12) for one in FIELDS.split() if chance.random() < 0.6
        }
        fields |= {} if number % 10 == 0 else {"site": "haihau"}
        sent = urlencode({**fields, "csrf": chance.choice([browser.csrf or ""] * 9 + ["Ấ\n"])}).encode()
        headers = [("content-type", "application/x-www-form-urlencoded")]
        shown = await pages.send(browser, "POST", ROOT + path, sent, headers)
        assert shown.status < 500 or shown.status == 501, fields  # 501: no mail is set up
        if shown.status == 401 and name != "POST /dang-nhap":
            browser = await newsroom.browser("admin:haihau")  # it has logged out, or closed its own session


@pytest.mark.parametrize(
    ("path", "kind", "size", "status"),
    [
        ("/dang-nhap", "application/x-www-form-urlencoded", 100_000, 413),
        ("/loi-moi", "multipart/form-data; boundary=x", 100_000, 413),
        ("/anh-va-tep", "multipart/form-data; boundary=x", 100_000, 401),
        ("/bai-viet/moi", "application/x-www-form-urlencoded", 5_000_000, 401),
        ("/bai-viet/moi", "application/x-www-form-urlencoded", 9_000_000, 413),
    ],
)
async def test_forms_of_strangers_are_bounded(pages: Pages, path: str, kind: str, size: int, status: int) -> None:
    """A stranger stores no file on disk and fills no memory; a text whose session has ended is given back."""
    content = b"body=" + b"x" * size
    shown = await pages.send(Browser(pages.api, origin=HTTPS), "POST", ROOT + path, content, [("content-type", kind)])
    assert shown.status == status
    assert (b"x" * size in shown.html.encode()) == (path == "/bai-viet/moi" and status == 401)
