"""Sections, tags and authors as articles name them, under their present slugs, with the numbers of articles."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import asyncpg

from services.ingest.queries import STRUCTURE_SQL as QUERIES
from services.ingest.structure import changes
from services.ingest.structure.store import count_terms
from shared.postgres import Connection
from shared.site_structure import Kind, StructureIndex
from shared.slugs import name_slug
from shared.text import fold_diacritics


@dataclass
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


async def read_terms(connection: "asyncpg.Pool | Connection", index: StructureIndex, kind: Kind) -> dict[str, Term]:
    """Return all sections, tags or authors of a site by slug: the declared ones in their order, then the others."""
    site = index.structure.site
    counted = await count_terms(connection, site, kind)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(counted, key=lambda one: (-counted[one].articles, one)):
        if slug := slug_of(index, kind, name):
            groups[slug].append(name)
    declared = changes.entries_of(index.structure, kind)
    terms = {entry.slug: Term(entry.slug, entry.name, entry.version) for entry in declared}
    for slug in sorted(groups):
        term = terms.setdefault(slug, Term(slug, groups[slug][0]))
        term.spellings = groups[slug]
        term.articles = sum(counted[name].articles for name in term.spellings)
        term.public_articles = sum(counted[name].public_articles for name in term.spellings)
    several = [(name, slug) for slug, names in groups.items() if len(names) > 1 for name in names]
    if several:  # an article may name a tag in two spellings
        names, slugs = ([pair[number] for pair in several] for number in (0, 1))
        for row in await connection.fetch(QUERIES["term_counts_by_slug"], site, kind, names, slugs):
            terms[row["slug"]].articles = row["articles"]
            terms[row["slug"]].public_articles = row["public_articles"]
    return terms


def matching(terms: Iterable[Term], query: str) -> list[Term]:
    """Return the terms whose words begin with the words of a query, without diacritics; the most used first."""
    wanted = fold_diacritics(query).split()
    found = [one for one in terms if _matches(one, wanted)]
    return sorted(found, key=lambda one: (-one.articles, fold_diacritics(one.name), one.slug))


def _matches(term: Term, wanted: list[str]) -> bool:
    words = [word for name in (term.name, *term.spellings) for word in fold_diacritics(name).split()]
    return all(any(word.startswith(one) for word in words) for one in wanted)
