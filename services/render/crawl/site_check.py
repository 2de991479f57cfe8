"""Every page of a site, made and its links followed: what is wrong with a generation, in words."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import asyncpg

from services.render.crawl.all_pages import Failed, Plan, WholeReader, answer, every_page, plan
from services.render.crawl.links import medium, own_links
from services.render.pages.document import Document
from services.render.pages.themes import theme_of
from services.render.queries import GENERATIONS
from services.render.site.page_reader import Reader
from services.render.site.routes import Moved
from shared.sites import Site

SHOWN_MAX = 10
SOURCES_MAX = 20
"""Pages that are remembered for each address that is not in the plan."""


@dataclass
class Found:
    """What a look at every page of a site found. `tags`: the entity tag of each document, by address."""

    tags: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Pages that cannot be made or are not there, each with the reason."""
    broken: dict[str, str] = field(default_factory=dict)
    """Links that the portal made itself and that lead nowhere, each with a page on which it stands."""
    editors_broken: dict[str, str] = field(default_factory=dict)
    """The same for links that editors wrote into a text."""
    moved: dict[str, str] = field(default_factory=dict)
    """Links that lead to a redirection, and where that leads."""


class Links:
    """Takes note of the links of each document, and follows those that lead elsewhere than the plan says."""

    def __init__(self, of: Plan, site: Site, public_url: str) -> None:
        self._known = of.addresses | theme_of(site).assets.keys()
        self._public_url = public_url
        self._strange: dict[str, list[str]] = defaultdict(list)

    def note(self, address: str, links: set[str]) -> None:
        """Take note of a document's links. Whether an image is in the store is not looked at here."""
        for link in links - self._known:
            if medium(link) is None and len(self._strange[link]) < SOURCES_MAX:
                self._strange[link].append(address)

    async def follow(self, reader: Reader, found: Found) -> None:
        """Find out where they lead."""
        for link, sources in sorted(self._strange.items()):
            outcome = await answer(reader, link, self._public_url)
            if isinstance(outcome, Document):
                continue
            if isinstance(outcome, Moved):
                found.moved[link] = outcome.path
                continue
            ours = [source for source in sources if not await _wrote(reader, source, link)]
            place = found.broken if ours else found.editors_broken
            place[link] = (ours or sources)[0]


async def _wrote(reader: Reader, source: str, link: str) -> bool:
    """Tell whether a link on an article's page stands in the article's own text."""
    return bool(await reader.connection.fetchval(reader.sql["text_has"], reader.site.slug, source, link))


async def look_over(connection: asyncpg.Connection, place: str, site: Site, public_url: str) -> Found:
    """Make every page of a site, in one snapshot of a generation, and follow all links."""
    found = Found()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        reader = WholeReader(connection, site, GENERATIONS[place])
        of = await plan(reader)
        links = Links(of, site, public_url)
        async for address, outcome in every_page(reader, of, public_url):
            if isinstance(outcome, Document):
                found.tags[address] = outcome.tag
                links.note(address, own_links(outcome, public_url))
            else:
                found.failed[address] = outcome.reason if isinstance(outcome, Failed) else str(outcome)
        await links.follow(reader, found)
    return found


def tell(what: str, found: Mapping[str, str] | Iterable[str]) -> None:
    """Print how many there are, and name the first ones."""
    told = [f"{one} ({why})" for one, why in found.items()] if isinstance(found, Mapping) else list(found)
    if told:
        shown = ", ".join(told[:SHOWN_MAX]) + (", …" if len(told) > SHOWN_MAX else "")
        print(f"{len(told)} times: {what}: {shown}", flush=True)
