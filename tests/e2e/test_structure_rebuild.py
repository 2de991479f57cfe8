"""A rebuild and a static export give the live portal, byte for byte, whatever was done to the structure of a site."""

import asyncio
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest

from shared.articles import article_path
from tests.conftest import ROOT
from tests.e2e.structure_history import HOST, SITE, History
from tests.e2e.structure_oracle import Truth, differences, read_truth
from tests.e2e.test_articles_in_order import wait_for_outbox
from tests.e2e.test_export import caddy, pages_of
from tests.e2e.test_portal_rebuild import live, run, stopped_after

PREFIX = "dung"
SEED = 7
STEPS = 60
NOT_OF_STATE = ("date", "last-modified", "server", "via", "traceparent")
"""Headers that say when something happened: a page changes at the latest when the rebuild makes it live."""


class Response(NamedTuple):
    """A response, as far as it is a function of what is published."""

    status: int
    headers: dict[str, str]
    body: bytes


def all_addresses(truth: Truth) -> set[str]:
    """Return every address that the truth names, public or not, and those that everything else has."""
    fixed = {
        "/",
        "/so-do-site",
        "/luu-tru/",
        "/luu-tru/dinh-chinh/",
        "/sitemap.xml",
        "/sitemap-pages.xml",
        "/sitemap-articles-1.xml",
    }
    fixed |= {"/news-sitemap.xml", "/robots.txt", "/rss.xml", "/atom.xml", "/khong-co", "/khong-co-99999999.html"}
    lists = set(truth.lists())
    feeds = {f"{path}{kind}.xml" for path in lists if path.count("/") == 2 for kind in ("rss", "atom")}
    further = {
        f"{path}trang-{number}.html" for path in (*lists, *truth.moved()) for number in (2, 3) if path[-1] == "/"
    }
    articles = {article_path(one) for one in (*truth.articles, *truth.hidden)}
    pages = {f"/trang/{slug}.html" for page in truth.pages for slug in (page.slug, *page.old_slugs)}
    words = {f"/tim-kiem?q={urllib.parse.quote(one.name)}" for one in truth.structure.tags}
    return fixed | lists | feeds | further | articles | pages | words | truth.moved().keys()


def responses(system: Any, addresses: set[str]) -> dict[str, Response]:
    """Return the response to each address, and to those that its pages link to."""
    found: dict[str, Response] = {}
    ahead = sorted(addresses)
    while ahead:
        address = ahead.pop()
        if address in found or address.startswith(("/media/", "/stats/", "/t.js", "/p.gif", "/theme/")):
            continue
        got = system.get(address, host=HOST)
        headers = {name: value for name, value in got.headers.items() if name not in NOT_OF_STATE}
        found[address] = Response(got.status, headers, got.body)
        text = got.body.decode("utf-8", "replace")
        links = re.findall(rf'(?:href="|<loc>|<link>)(?:https://{HOST})?(/[^"<#]*)', text)
        ahead += [link.replace("&amp;", "&") for link in links]
    return found


async def settled(system: Any, wait: Any) -> Truth:
    """Return what is published, once the portal shows it."""
    connection = await asyncpg.connect(system.database_url)
    await wait_for_outbox(connection)
    await connection.close()
    truth = await read_truth(system.database_url)
    await asyncio.to_thread(wait, lambda: not differences(system, truth), 90, "the portal as the database")
    return truth


@pytest.mark.long  # tests/render/rebuild/test_replay.py compares rows and pages of shorter histories
@pytest.mark.timeout(600)
async def test_rebuild_and_export_after_a_random_history_are_the_live_portal(
    system: Any, editors: Any, wait: Any, tmp_path: Path, free_ports: Any
) -> None:
    """Every address has the same bytes, status and headers after a rebuild, and in an export, redirects included."""
    history = History(editors, SEED, PREFIX)
    await asyncio.to_thread(history.begin)
    for _ in range(STEPS):
        await asyncio.to_thread(history.step)
    await asyncio.to_thread(history.arrange_front_page)
    truth = await settled(system, wait)
    assert truth.structure.section_aliases
    assert truth.structure.tag_aliases
    assert truth.structure.author_aliases
    assert truth.structure.front_page.breaking is not None
    addresses = all_addresses(truth)
    before = await asyncio.to_thread(responses, system, addresses)
    assert {response.status for response in before.values()} == {200, 301, 404, 410}
    said = await asyncio.to_thread(run, system, "rebuild", "--compare")
    assert "all rows are the same as the live ones" in said
    after = await asyncio.to_thread(responses, system, addresses)
    differ = {
        path: (before.get(path), after.get(path)) for path in before | after if before.get(path) != after.get(path)
    }
    assert not differ, differ
    await asyncio.to_thread(check_export, system, tmp_path / "copy", before, free_ports, wait)


def check_export(system: Any, folder: Path, before: dict[str, Response], free_ports: Any, wait: Any) -> None:
    """Check that an export has each page, and that a plain server redirects as the portal does."""
    command = [sys.executable, "-m", "services.render", "export", str(folder), "--site", SITE]
    stores = {"DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    stores["PRESSTALLY_MEDIA"] = str(system.home / "media")
    subprocess.run(command, cwd=ROOT, env={**system.environment, **stores}, check=True, capture_output=True)
    pages = pages_of(folder)
    for path, response in before.items():
        if response.status == 200 and "?" not in path:
            assert pages[path].read_bytes() == response.body, path
    with caddy(folder, free_ports(1), wait) as url:
        for path, response in before.items():
            if "?" in path or response.status == 200:
                continue
            got = system.get(url + path)
            if response.status == 301 and before.get(response.headers["location"], response).status != 200:
                assert got.status in (301, 404), path  # a further page of a list that has none
                continue
            assert got.status == response.status, path
            assert got.headers.get("location") == response.headers.get("location"), path


@pytest.mark.timeout(600)
async def test_rename_while_a_rebuild_runs_is_in_the_next_generation(system: Any, editors: Any, wait: Any) -> None:
    """Renames, merges, pages and menus of the time between check and swap are live after it, and after a rollback."""
    history = History(editors, SEED + 1, f"{PREFIX}lai")
    await asyncio.to_thread(history.begin)
    await settled(system, wait)
    former = await live(system)
    with stopped_after(system, "checked"):
        for step in (
            history.rename_section,
            history.merge_section,
            history.rename_tag,
            history.merge_tag,
            history.save_author,
            history.write_page,
            history.publish_page,
            history.replace_menu,
            history.publish_article,
            history.arrange_front_page,
        ):
            await asyncio.to_thread(step)
        truth = await settled(system, wait)
    assert await live(system) != former
    assert await asyncio.to_thread(differences, system, truth) == []
    await asyncio.to_thread(run, system, "rollback")
    assert await live(system) == former
    assert await asyncio.to_thread(differences, system, truth) == []
