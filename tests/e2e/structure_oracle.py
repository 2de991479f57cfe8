"""What readers must get of a site, as ingest's database says, and by what the portal and the statistics differ."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import asyncpg
import msgspec

from shared.articles import Article, article_path, is_undated
from shared.site_structure import SiteStructure, StaticPage
from shared.slugs import name_slug
from tests.conftest import System
from tests.e2e.structure_history import HOST, SITE, UNFINISHED

CARD = re.compile(r'<li class="card">.*?<h\d><a href="([^"]+)"', re.DOTALL)
LEAD = re.compile(r'<section class="lead-story".*?<h2><a href="([^"]+)"', re.DOTALL)
FEED_ITEM = re.compile(r"<item>.*?<link>[^<]*?(/[^/<]+)</link>", re.DOTALL)
LOCATION = re.compile(r"<loc>https://[^/<]+([^<]*)</loc>")
FEED_ARTICLES_MAX = 30


class Truth(NamedTuple):
    """The public articles, the structure and the static pages of the site in ingest's database."""

    articles: list[Article]
    hidden: list[Article]
    structure: SiteStructure
    pages: list[StaticPage]

    def lists(self) -> dict[str, list[str]]:
        """Return the paths of articles by that of each list: sections, tags and authors under their present slugs."""
        one = self.structure
        found: dict[str, list[str]] = {f"/{section.slug}/": [] for section in one.sections}
        found |= {f"/tac-gia/{author.slug}/": [] for author in one.authors}
        for article in self.articles:
            sections = {current(one.section_aliases, slug) for slug in (article.section, *article.also_in)}
            tags = {current(one.tag_aliases, name_slug(tag)) for tag in article.tags}
            authors = {current(one.author_aliases, name_slug(author.name)) for author in article.authors}
            paths = [f"/{slug}/" for slug in sections] + [f"/tag/{slug}/" for slug in tags]
            paths += [path for slug in authors if (path := f"/tac-gia/{slug}/") in found]
            for path in paths:
                found.setdefault(path, []).append(article_path(article))
        return found

    def moved(self) -> dict[str, str]:
        """Return the addresses of slugs that were given up, each with the present one."""
        one, found = self.structure, dict[str, str]()
        present = self.lists()
        for root, aliases in (
            ("/", one.section_aliases),
            ("/tag/", one.tag_aliases),
            ("/tac-gia/", one.author_aliases),
        ):
            for slug in aliases:
                target = f"{root}{current(aliases, slug)}/"
                if target in present or root == "/tag/":
                    found[f"{root}{slug}/"] = target
                    found[f"{root}{slug}"] = target
                if root == "/":
                    found[f"/{slug}/rss.xml"] = f"{target}rss.xml"
        slugs = {page.slug for page in self.pages if page.state == "published"}
        for page in sorted(self.pages, key=lambda page: page.version):
            if page.state == "published":
                formers = set(page.old_slugs) - slugs
                found |= {f"/trang/{former}.html": f"/trang/{page.slug}.html" for former in formers}
        return found


def current(aliases: Mapping[str, str], slug: str) -> str:
    """Return what a slug stands for, by following the aliases."""
    while slug in aliases:
        slug = aliases[slug]
    return slug


async def read_truth(database: str) -> Truth:
    """Read ingest's database, once its outbox is empty."""
    connection = await asyncpg.connect(database)
    try:
        structure = await connection.fetchval("SELECT content FROM ingest.site_structures WHERE site = $1", SITE)
        rows = await connection.fetch("SELECT live FROM ingest.articles WHERE site = $1 AND live IS NOT NULL", SITE)
        pages = await connection.fetch(
            "SELECT live FROM ingest.static_pages WHERE site = $1 AND live IS NOT NULL", SITE
        )
    finally:
        await connection.close()
    articles = [msgspec.json.decode(row["live"], type=Article) for row in rows]
    return Truth(
        [one for one in articles if one.state == "published"],
        [one for one in articles if one.state != "published"],
        msgspec.json.decode(structure, type=SiteStructure),
        [msgspec.json.decode(row["live"], type=StaticPage) for row in pages],
    )


def differences(system: System, truth: Truth) -> list[str]:
    """Return by what the portal differs from the database."""
    portal = Portal(system, truth)
    parts = (portal.articles, portal.lists, portal.moves, portal.pages, portal.home, portal.sitemaps, portal.search)
    return [one for part in parts for one in part()]


class Portal:
    """Reads the portal as readers and search engines do; each method returns differences."""

    def __init__(self, system: System, truth: Truth) -> None:
        self._system, self._truth, self._lists = system, truth, truth.lists()

    def get(self, path: str) -> Any:
        """Return a response. Nothing unfinished may be in it."""
        answer = self._system.get(path, host=HOST)
        assert UNFINISHED not in answer.text, path
        return answer

    def articles(self) -> list[str]:
        """Compare the pages of articles with their lists, and what is hidden."""
        found = []
        in_lists = defaultdict(list)
        for path, articles in self._lists.items():
            for article in articles:
                in_lists[article].append(path)
        for article in self._truth.articles:
            path = article_path(article)
            answer = self.get(path)
            missing = [one for one in in_lists[path] if f'href="{one}"' not in answer.text]
            if answer.status != 200 or article.title not in answer.text or missing:
                found.append(f"{path}: {answer.status}, without links to {missing}")
        for article in self._truth.hidden:
            status = self.get(article_path(article)).status
            if status != (410 if article.state == "killed" else 404):
                found.append(f"{article_path(article)}: {status}, but it is {article.state}")
        return found

    def lists(self) -> list[str]:
        """Compare lists and feeds: each article once; those whose date nobody knows are in no feed."""
        found = []
        dated = {article_path(one) for one in self._truth.articles if not is_undated(one)}
        for path, expected in self._lists.items():
            listed, page, number = [], path, 1
            while page:
                answer = self.get(page)
                listed += CARD.findall(answer.text)
                number += 1
                page = f"{path}trang-{number}.html" if f'href="{path}trang-{number}.html"' in answer.text else ""
            if sorted(listed) != sorted(expected):
                found.append(difference(path, listed, expected))
            if path.count("/") == 2:
                feed = FEED_ITEM.findall(self.get(f"{path}rss.xml").text)
                told = [one for one in expected if one in dated]
                if len(feed) != min(len(told), FEED_ARTICLES_MAX) or set(feed) - set(told):
                    found.append(difference(f"{path}rss.xml", feed, told))
        return found

    def moves(self) -> list[str]:
        """Compare the redirects of slugs that were given up."""
        found = []
        for path, target in self._truth.moved().items():
            answer = self.get(path)
            if (answer.status, answer.headers.get("location")) != (301, target):
                found.append(f"{path}: {answer.status} {answer.headers.get('location')}, not 301 {target}")
        return found

    def pages(self) -> list[str]:
        """Compare the static pages, and the menus that have them."""
        found = []
        public = {one.id: one for one in self._truth.pages if one.state == "published"}
        for page in self._truth.pages:
            path = f"/trang/{page.slug}.html"
            answer = self.get(path)
            is_right = answer.status == 200 and page.title in answer.text if page.id in public else answer.status != 200
            if not is_right:
                found.append(f"{path}: {answer.status}, but it is {page.state}: {page.title}")
        home = self.get("/").text
        structure, items = self._truth.structure, [*self._truth.structure.menus.get("main", [])]
        while items:
            item = items.pop()
            items += item.items
            expected = {
                "section": f"/{current(structure.section_aliases, item.target)}/",
                "tag": f"/tag/{current(structure.tag_aliases, item.target)}/",
                "page": f"/trang/{public[item.target].slug}.html" if item.target in public else "/",
            }.get(item.kind, "/")
            if f'href="{expected}"' not in home:
                found.append(f"/: no link to {expected} in the menu")
        return found

    def home(self) -> list[str]:
        """Compare the home page with the front page: public articles in the order of their slots, and the bar."""
        text, front_page = self.get("/").text, self._truth.structure.front_page
        public = {one.id: article_path(one) for one in self._truth.articles}
        expected = [public[one.article] for one in front_page.slots if one.article in public]
        found = [*LEAD.findall(text), *CARD.findall(text)][: len(expected)]
        bar = front_page.breaking
        if bar is not None and (bar.text in text) != (bar.article in public):
            return [f"/: {bar.text!r} of {bar.article}"]
        return [] if found == expected else [f"/: {found}, not {expected}"]

    def sitemaps(self) -> list[str]:
        """Compare the sitemaps of articles and of lists."""
        listed = LOCATION.findall(self.get("/sitemap.xml").text)
        articles = [path for part in listed if "articles" in part for path in LOCATION.findall(self.get(part).text)]
        expected = [article_path(one) for one in self._truth.articles]
        found = [difference("sitemap of articles", articles, expected)] if sorted(articles) != sorted(expected) else []
        others = LOCATION.findall(self.get("/sitemap-pages.xml").text)
        others = [one for one in others if one not in ("/", "/so-do-site") and not one.startswith("/luu-tru/")]
        lists = [*self._lists, *(f"/trang/{one.slug}.html" for one in self._truth.pages if one.state == "published")]
        if sorted(others) != sorted(lists):
            found.append(difference("/sitemap-pages.xml", others, lists))
        return found

    def search(self) -> list[str]:
        """Compare searches for the present names of tags."""
        found = []
        names = {one.slug: one.name for one in self._truth.structure.tags}
        for path, expected in self._lists.items():
            name = names.get(path.removeprefix("/tag/").strip("/"))
            if name is None or not path.startswith("/tag/"):
                continue
            results, page = [], f"/tim-kiem?q={name}&sap-xep=ngay"
            for number in range(2, 20):
                answer = self.get(page)
                results += re.findall(r'<h2><a href="(/[^"]+-\d+\.html)"', answer.text)
                page = f"/tim-kiem?q={name}&sap-xep=ngay&trang={number}"
                if f"trang={number}" not in answer.text:
                    break
            if sorted(results) != sorted(expected):
                found.append(difference(f"search for {name}", results, expected))
        return found


def difference(what: str, found: Iterable[str], expected: Iterable[str]) -> str:
    """Return what is missing, too much, or there twice."""
    got, wanted = list(found), list(expected)
    double = sorted({one for one in got if got.count(one) > 1})
    return f"{what}: missing {sorted(set(wanted) - set(got))}, wrong {sorted(set(got) - set(wanted))}, double {double}"
