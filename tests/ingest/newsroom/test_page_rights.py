"""The rights of every page of the newsroom: nobody, people of a section, of a site × the own place and others."""

from typing import Any
from urllib.parse import urlencode

import pytest

from services.ingest.newsroom.pages import ROOT
from tests.ingest.api.route_rights import World
from tests.ingest.conftest import HTTPS, Browser
from tests.ingest.conftest import Newsroom as People
from tests.ingest.newsroom.conftest import Pages, Shown
from tests.ingest.newsroom.page_rights import (
    CALLERS,
    OWN_ACCOUNT,
    PAGES,
    PLACES,
    PUBLIC,
    Objects,
    Target,
    expected,
    may_change,
    may_read,
)

WORN = {"sessions", "login_attempts", "idempotency_keys", "known_devices"}
"""Tables that every request may touch."""


def pages_of(pages: Pages) -> set[str]:
    return {
        f"{method} {route.path}"
        for route in pages.app.routes
        for method in route.methods - {"HEAD"}
        if not route.path.startswith("/static/")
    }


def test_every_page_has_expected_rights(pages: Pages) -> None:
    """A page without an expectation fails, and so does an expectation without its page."""
    assert pages_of(pages) == {*PAGES, *PUBLIC, *OWN_ACCOUNT}


async def request(pages: Pages, browser: Browser, name: str, about: Target, form: Any) -> Shown:
    """Send the request of a page as a browser does, with the token of its session in a form."""
    (method, path), need = name.split(" "), PAGES[name]
    query = need.query or (f"site={about.place.site}" if need.about in ("site", "structure", "banner") else "")
    target = ROOT + path.format(id=about.name, slug=about.name, step="archive" if form is None else "kill")
    target += f"?{query}" if query else ""
    if form is None:
        return await pages.send(browser, method, target, b"", [])
    given = [*form.items(), ("csrf", browser.csrf or "")]
    if not any(isinstance(value, bytes) for _, value in given):
        headers = [("content-type", "application/x-www-form-urlencoded")]
        return await pages.send(browser, method, target, urlencode(given, doseq=True).encode(), headers)
    headers = [("content-type", "multipart/form-data; boundary=x")]
    return await pages.send(browser, method, target, b"".join(part(*one) for one in given) + b"--x--\r\n", headers)


def part(name: str, value: str | bytes) -> bytes:
    """Return a field of a form with files, as browsers send it."""
    more = b'; filename="a.png"\r\ncontent-type: image/png' if isinstance(value, bytes) else b""
    content = value if isinstance(value, bytes) else value.encode()
    return b'--x\r\ncontent-disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name.encode(), more, content)


async def stored(pages: Pages) -> list[Any]:
    """Return what the database has, a checksum for each table."""
    pool = pages.api.context.pool
    rows = await pool.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'ingest' ORDER BY 1")
    names = [row["name"] for row in rows if row["name"] not in WORN]
    sums = [f"(SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM ingest.{name} t) AS {name}" for name in names]
    return list((await pool.fetchrow(f"SELECT {', '.join(sums)}")).items())


async def refuted(pages: Pages, browsers: dict[str, Browser], name: str, where: str, objects: Objects) -> list[Any]:
    """Try a page as each caller, the weakest first; return whose status, sight or change is not as expected."""
    need, place, wrong = PAGES[name], PLACES[where], list[Any]()
    target = Target(await objects.make(name, need, place), place)
    before = await stored(pages)
    for caller, browser in browsers.items():
        form = None if need.form is None else need.form(target)
        shown = await request(pages, browser, name, target, form)
        status = expected(need, caller, where)
        if shown.status != status:
            wrong.append((name, where, caller, shown.status, status, shown.text[-300:]))
        hidden = [one.title for one in PLACES.values() if one.title in shown.html and not may_read(caller, one)]
        if hidden:
            wrong.append((name, where, caller, "sees", hidden))
        if may_change(need, caller, where):
            target = Target(await objects.make(name, need, place), place)
            before = await stored(pages)
        elif form is not None and await stored(pages) != before:
            wrong.append((name, where, caller, "changes", set(await stored(pages)) - set(before)))
    return wrong


@pytest.mark.parametrize("name", PAGES)
async def test_page_rights_by_caller_and_place(pages: Pages, newsroom: People, name: str) -> None:
    """Each page shows and changes what its caller may in the own place, and nothing at all in others."""
    browsers = {
        caller: await newsroom.browser(*grants) if grants else Browser(pages.api, origin=HTTPS)
        for caller, grants in CALLERS.items()
    }
    objects = Objects(World(newsroom.api))
    for site in ("haihau", "giao-thuy"):
        await newsroom.api.call("GET", f"/sections?site={site}", None, "read")  # the first reader seeds a structure
    assert [wrong for where in PLACES for wrong in await refuted(pages, browsers, name, where, objects)] == []


@pytest.mark.parametrize("name", [*PUBLIC, *OWN_ACCOUNT])
async def test_own_pages_do_not_depend_on_rights(pages: Pages, newsroom: People, name: str) -> None:
    """The own account is open to every person and to nobody else, and what leads to the log-in is open to everybody."""
    for caller, grants in CALLERS.items():
        browser = await newsroom.browser(*grants) if grants else Browser(pages.api, origin=HTTPS)
        method, path = name.split(" ")
        form = urlencode({"csrf": browser.csrf or ""}).encode()
        headers = [("content-type", "application/x-www-form-urlencoded")]
        shown = await pages.send(browser, method, ROOT + path, *((b"", []) if method == "GET" else (form, headers)))
        closed = {"GET": 303, "POST": 401}[method] if name in OWN_ACCOUNT and not grants else None
        assert shown.status == (closed or {**PUBLIC, **OWN_ACCOUNT}[name]), caller
