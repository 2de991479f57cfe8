"""A replay of the topics, in whatever order their partitions come, gives the rows and pages that builders have made."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.structure import changes
from services.render.builder import store
from services.render.crawl.site_check import check_site
from services.render.rebuild import generations
from shared.articles import Article, Author, Paragraph
from shared.http.problems import Problem
from shared.site_structure import MenuItem, SiteStructure, StaticPage, StructureAuthor, StructureSection, StructureTag
from shared.sites import Sites
from shared.slugs import name_slug
from tests.render.conftest import SITE
from tests.render.rebuild.test_swap import connection, replay_of

__all__ = ["connection"]
AT = datetime(2026, 11, 29, tzinfo=UTC)
TAGS = ("Lúa", "Ngao", "Muối", "Chợ phiên", "Đê biển")
AUTHORS = ("Lan", "T. Hoa", "Minh")
STATES = ("published", "published", "published", "killed", "unpublished")
STEPS = 60


class RandomHistory:
    """Versions of articles, static pages and the structure of a site, as ingest would send them."""

    def __init__(self, portal: Any, seed: int) -> None:
        self.chance = random.Random(seed)
        self._portal = portal
        self._articles: dict[int, Article] = {}
        self._pages: dict[str, StaticPage] = {}
        sections = [StructureSection(slug=one.slug, name=one.name, version=1) for one in SITE.sections]
        self._structure = SiteStructure(site=SITE.slug, version=1, modified_at=AT, sections=sections)
        self._count = 1

    def messages(self) -> Iterator[Article | SiteStructure | StaticPage]:
        """Yield one message after the other."""
        for _ in range(STEPS):
            self._count += 1
            yield self.chance.choice((self._article, self._article, self._article, self._change, self._page))()

    def _article(self) -> Article:
        number = self.chance.randrange(1, 25)
        sections = [*(one.slug for one in self._structure.sections), *self._structure.section_aliases]
        fields: dict[str, Any] = {
            "version": self._count,
            "state": self.chance.choice(STATES),
            "title": f"Bài {number} lần {self._count}",
            "section": self.chance.choice(sections),
            "tags": self.chance.sample(TAGS, 2),
            "authors": [Author(self.chance.choice(AUTHORS))],
            "body": [Paragraph(f"Thân bài {self._count}.")],
            "modified_at": AT + timedelta(minutes=self._count),
        }
        before = self._articles.get(number)
        article = (
            self._portal.article(number, **fields) if before is None else msgspec.structs.replace(before, **fields)
        )
        self._articles[number] = article
        return article

    def _page(self) -> StaticPage:
        page_id = f"p-{self.chance.randrange(4)}"
        before = self._pages.get(page_id)
        slug = f"trang-{self._count}"
        old = [before.slug, *before.old_slugs] if before else []
        state = self.chance.choice(("published", "published", "withdrawn"))
        page = StaticPage(
            site=SITE.slug,
            id=page_id,
            version=self._count,
            state=state,
            slug=slug,
            title=f"Trang {self._count}",
            modified_at=AT,
            old_slugs=old,
        )
        self._pages[page_id] = page
        return page

    def _change(self) -> SiteStructure:
        before, version, name = self._structure, self._count, f"Mục {self._count}"
        section, other = (self.chance.choice(before.sections).slug for _ in range(2))
        tag, spelled = self.chance.choice(TAGS), f"{self.chance.choice(TAGS)} {version}"
        entry = StructureSection(slug=f"muc-{version}", name=name, version=version)
        author = self.chance.choice(AUTHORS)
        menu = [MenuItem(kind="section", target=section), MenuItem(kind="tag", target=name_slug(tag))]
        menu.append(MenuItem(kind="page", target=f"p-{self.chance.randrange(4)}"))

        def rename_tag() -> SiteStructure:
            slug = before.tag_aliases.get(name_slug(tag), name_slug(tag))
            known = before
            if changes.find(before, "tag", slug) is None:
                known = changes.add(before, "tag", StructureTag(slug=slug, name=tag, version=version))
            changed = StructureTag(slug=name_slug(spelled), name=spelled, version=version)
            return changes.change(known, "tag", slug, changed)

        def add_author() -> SiteStructure:
            return changes.add(before, "author", StructureAuthor(slug=name_slug(author), name=author, version=version))

        def merge_authors() -> SiteStructure:
            into = self.chance.choice(before.authors).slug
            return changes.merge(before, "author", name_slug(author), into)

        steps = [
            lambda: changes.change(before, "section", section, entry),
            lambda: changes.add(before, "section", entry),
            lambda: changes.merge(before, "section", section, other),
            rename_tag,
            rename_tag,
            add_author,
            lambda: changes.set_menu(before, self.chance.choice(("main", "footer")), menu),
        ]
        if before.authors:
            steps.append(merge_authors)
        try:
            after = self.chance.choice(steps)()
        except Problem:  # such as a merge of a section into itself
            after = before
        self._structure = msgspec.structs.replace(after, version=version)
        return self._structure


async def checksums(connection: asyncpg.Connection, schema: str) -> dict[str, str]:
    report = await check_site(connection, schema, SITE, SITE.url)
    assert (report.failed, report.broken) == ({}, {})
    return report.checksums


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_replay_of_a_random_history_is_what_builders_made(portal: Any, connection: Any, seed: int) -> None:
    """Rows and pages are equal although every record comes in another order, and live articles were indexed again."""
    history = RandomHistory(portal, seed)
    records: list[Any] = []
    for message in history.messages():
        if isinstance(message, Article):
            await store.save(portal.pool, message, SITE)
        elif isinstance(message, SiteStructure):
            await store.save_structure(portal.pool, message)
        else:
            await store.save_page(portal.pool, message)
        records.append((getattr(message, "id", SITE.slug), message))

    async def go_on() -> None:
        return None

    await store.reindex(portal.pool, Sites({SITE.slug: SITE}), go_on)
    history.chance.shuffle(records)
    replay = replay_of(connection, records)
    assert await replay.catch_up(await replay.ends())
    assert replay.unreadable == {}
    await replay.add_structures_of("render")
    assert await generations.differing_articles(connection, "render", "render_2") == []
    live = await checksums(connection, "render")
    assert await checksums(connection, "render_2") == live
    assert len(live) > 30
