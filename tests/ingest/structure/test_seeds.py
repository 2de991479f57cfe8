"""The sites' file only seeds: whatever was done in the newsroom and to the file, a start changes no section.

Each of some sites gets a random history of its own: changes by the newsroom, then another file, then starts.
"""

import asyncio
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec

from deploy.cli.sites import describe_differences
from services.ingest.articles.publication_status import PublicationTracker
from services.ingest.articles.structure_recovery import take_over_structures
from services.ingest.media.library import MediaStore
from services.ingest.structure.seeding import StructureSeeder
from services.ingest.structure.store import read_structure
from shared.object_store import open_store
from shared.sites import Section, Site, Sites
from tests.ingest.conftest import EditorApi, editor_api_of

SITES = 20
STEPS = 6
SEED = 20
SLUGS = ("tin-tuc", "thong-bao", "van-hoa", "thoi-su", "kinh-te", "the-thao")
Names = list[tuple[str, str]]
"""Slugs and names of sections, in their order."""


def declared(slug: str, sections: Names) -> Site:
    return Site(
        slug=slug,
        name=slug,
        origins=[f"https://{slug}.example"],
        timezone="Asia/Ho_Chi_Minh",
        sections=[Section(one, name) for one, name in sections],
    )


class Newsroom:
    """Changes sections of a site at random; what is refused changes nothing."""

    def __init__(self, api: EditorApi, site: str, chance: random.Random) -> None:
        self._api = api
        self._site = site
        self._chance = chance
        self.done: list[str] = []

    async def step(self) -> None:
        """Make one change."""
        one, other = self._chance.sample(SLUGS, 2)
        name = f"Tên {self._chance.randrange(1_000)}"
        at = f"/sections/{one}?site={self._site}"
        changes: dict[str, tuple[str, str, Any]] = {
            "add": ("POST", "/sections", {"site": self._site, "name": name, "slug": one}),
            "reuse": ("POST", "/sections", {"site": self._site, "name": name, "slug": one, "reuse": True}),
            "name": ("PATCH", at, {"name": name}),
            "rename": ("PATCH", at, {"slug": other}),
            "move": ("PATCH", at, {"position": self._chance.randrange(4)}),
            "merge": ("POST", f"/sections/{one}/merge?site={self._site}", {"into": other}),
            "remove": ("DELETE", at, None),
        }
        kind = self._chance.choice(sorted(changes))
        answer = await self._api.call(*changes[kind], "admin", if_match="*")
        assert answer.status in (200, 201, 204, 404, 409), answer.body
        self.done += [kind] if answer.status < 300 else []

    async def sections(self) -> Names:
        """Return the sections as the API has them."""
        answer = await self._api.call("GET", f"/sections?site={self._site}", scope="read")
        return [(one["slug"], one["name"]) for one in answer.json()["sections"]]


def another_file(present: Names, chance: random.Random) -> Names:
    """Return sections as somebody may write them into the file: present, former and new ones, in any order."""
    names = dict(present) | {slug: f"Của tệp {slug}" for slug in chance.sample(SLUGS, chance.randrange(len(SLUGS)))}
    chosen = chance.sample(sorted(names.items()), chance.randrange(len(names) + 1))
    return [(slug, name if chance.random() < 0.7 else f"Tệp {name}") for slug, name in chosen]


async def messages(pool: asyncpg.Pool) -> list[Any]:
    """Return what was queued for the topic, as its records."""
    rows = await pool.fetch("SELECT value FROM ingest.outbox WHERE topic = 'site-structure' ORDER BY id")
    values = [row["value"] for row in rows]
    return [SimpleNamespace(topic="site-structure", partition=0, offset=n, value=one) for n, one in enumerate(values)]


async def started(pool: asyncpg.Pool, file: dict[str, Names]) -> Sites:
    """Return the sites of a process that has just started with a file."""
    sites = Sites({slug: declared(slug, sections) for slug, sections in file.items()})
    await StructureSeeder(pool, sites).step()
    return sites


def shown(sites: Sites) -> dict[str, Names]:
    return {slug: [(one.slug, one.name) for one in site.sections] for slug, site in sites.items()}


async def test_starts_with_another_file_bring_no_section_back(
    pool: asyncpg.Pool, database: str, tmp_path: Path
) -> None:
    """After renames, merges, removals and any edit of the file, starts and a recovery show the newsroom's sections."""
    chance = random.Random(SEED)
    slugs = [f"trang-{number}" for number in range(SITES)]
    file = {slug: [(one, f"Mục {one}") for one in SLUGS[:3]] for slug in slugs}
    sites = await started(pool, file)
    tracker, media = PublicationTracker(pool, asyncio.Event()), MediaStore(open_store(str(tmp_path / "media")))
    api = editor_api_of(pool, sites, tracker, media)
    newsrooms = {slug: Newsroom(api, slug, chance) for slug in slugs}
    for newsroom in newsrooms.values():
        for _ in range(STEPS):
            await newsroom.step()
    assert {one for newsroom in newsrooms.values() for one in newsroom.done} == {
        "add", "reuse", "name", "rename", "move", "merge", "remove",
    }  # fmt: skip
    expected = {slug: await newsroom.sections() for slug, newsroom in newsrooms.items()}
    sent = await messages(pool)

    for _ in range(3):  # restarts and new replicas, each with another file
        file = {slug: another_file(sections, chance) for slug, sections in expected.items()}
        assert shown(await started(pool, file)) == expected
    sites.replace(Sites({slug: declared(slug, sections) for slug, sections in file.items()}))  # a running process
    assert shown(sites) == expected
    without = {slug: sections for slug, sections in file.items() if slug != slugs[0]}
    assert slugs[0] not in await started(pool, without)
    assert shown(await started(pool, file)) == expected  # a site that was taken out of the file and came back
    assert len(await messages(pool)) == len(sent), "a start queues nothing"

    structures = [stored.structure for slug in slugs if (stored := await read_structure(pool, slug))]
    differing = describe_differences(sites.declared, structures)
    assert len(differing) == sum(file[slug] != expected[slug] for slug in slugs)
    owner = await asyncpg.connect(database)
    await owner.execute("DELETE FROM ingest.site_structures")
    await owner.close()
    async with pool.acquire() as connection:
        await take_over_structures(connection, sent, {})
    assert shown(await started(pool, file)) == expected
    assert len(await messages(pool)) == len(sent), "a recovery queues nothing"
    taken = await api.call("GET", f"/sections?site={slugs[0]}", scope="read")
    assert msgspec.json.decode(taken.body)["site"] == slugs[0]
