"""Sections, tags and authors as articles name them, under their present slugs, with the numbers of articles."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import asyncpg

from services.ingest.queries import STRUCTURE_SQL as QUERIES
from services.ingest.structure import changes
from services.ingest.structure.store import TermCount, count_terms
from shared.postgres import Connection
from shared.site_structure import Kind, StructureIndex
from shared.slugs import name_slug
from shared.text import fold_diacritics


@dataclass(slots=True)
class Term:
    """A section, tag or author: declared, or named by articles only."""

    slug: str
    name: str
    version: int = 0
    """Of its entry in the structure; 0: it has none."""
    articles: int = 0
    """Articles that name it, in any of their copies."""
    public_articles: int = 0
    spellings: list[str] = field(default_factory=list)
    """As articles spell it."""


def slug_of(index: StructureIndex, kind: Kind, name: str) -> str:
    """Return the slug that a name in an article stands for now."""
    return index.current(kind, name if kind == "section" else name_slug(name))


def spellings_of(counted: Iterable[str], index: StructureIndex, kind: Kind, slug: str) -> list[str]:
    """Return those of the names of articles that stand for a slug now."""
    return sorted(name for name in counted if slug_of(index, kind, name) == slug)


async def read_terms(
    connection: "asyncpg.Pool | Connection", index: StructureIndex, kind: Kind, only: str | None = None
) -> dict[str, Term]:
    """Return all sections, tags or authors of a site by slug: the declared ones in their order, then the others.

    Args:
        connection: To read them from.
        index: The structure of the site.
        kind: Which ones.
        only: The present slug of the only one to return.
    """
    site = index.structure.site
    counted = await count_terms(connection, site, kind)
    terms = await asyncio.to_thread(group_terms, counted, index, kind, only)  # a site may have 50,000 authors
    several = [(name, one.slug) for one in terms.values() if len(one.spellings) > 1 for name in one.spellings]
    if several:  # an article may name a tag in two spellings
        columns = ([pair[number] for pair in several] for number in (0, 1))
        for row in await connection.fetch(QUERIES["term_counts_by_slug"], site, kind, *columns):
            terms[row["slug"]].articles = row["articles"]
            terms[row["slug"]].public_articles = row["public_articles"]
    return terms


def group_terms(
    counted: Mapping[str, TermCount], index: StructureIndex, kind: Kind, only: str | None = None
) -> dict[str, Term]:
    """Return what `read_terms` does; an article with two spellings of a term counts twice. Pure."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in counted:
        if (slug := slug_of(index, kind, name)) and only in (None, slug):
            groups[slug].append(name)
    declared = [one for one in changes.entries_of(index.structure, kind) if only in (None, one.slug)]
    terms = {entry.slug: Term(entry.slug, entry.name, entry.version) for entry in declared}
    for slug in sorted(groups):
        names = sorted(groups[slug], key=lambda one: (-counted[one].articles, one))
        term = terms.get(slug)
        if term is None:
            term = terms[slug] = Term(slug, names[0])
        term.spellings = names
        for name in names:
            term.articles += counted[name].articles
            term.public_articles += counted[name].public_articles
    return terms


def matching(terms: Iterable[Term], query: str) -> list[Term]:
    """Return the terms whose words begin with the words of a query, without diacritics; the most used first."""
    wanted = [f" {word}" for word in fold_diacritics(query).split()]
    found = [one for one in terms if _matches(one, wanted)] if wanted else terms
    return sorted(found, key=lambda one: (-one.articles, one.slug))


def _matches(term: Term, wanted: list[str]) -> bool:
    words = " ".join(("", *fold_diacritics(" ".join((term.name, *term.spellings))).split()))
    return all(one in words for one in wanted)
