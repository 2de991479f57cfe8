"""A visitor's search → one page of results."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.render.pages.search_query import (
    CLOSE_MAX,
    LOOSE_MAX,
    PAGE_RESULTS,
    PHRASE_RESULT_MAX,
    RANKED_MAX,
    SIMILAR_MAX,
    SIMILARITY_THRESHOLDS,
    SMALL_RESULT_MAX,
    TITLE_PREFIX,
    ParsedQuery,
    SearchRequest,
    SearchResult,
    every_word,
    joined_numbers,
    parse,
    phrase,
    quoted,
)
from services.render.site.page_reader import FAR_AHEAD, PageReader
from shared.articles import Article

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
Filters = tuple[Sequence[str], datetime, datetime]
"""Sections (none: all of them), since, until."""


async def search(reader: PageReader, request: SearchRequest) -> SearchResult:
    """Return one page of search results."""
    terms = parse(request.query)
    if terms is None:
        return SearchResult()
    await reader.connection.execute(reader.sql["prepare_search"])
    filters = _filters(reader, request)
    given = (terms.indexed, terms.pairs, terms.folded, terms.is_indexed, terms.excluded, *filters)
    size, limit_offset = PAGE_RESULTS, (PAGE_RESULTS + 1, (request.page - 1) * PAGE_RESULTS)
    if request.by_date:
        found = await reader.articles("search_by_date", *given, *limit_offset)
        return SearchResult(found[:size], 0, len(found) > size, terms=terms)
    rows = await reader.connection.fetch(
        reader.sql["search"],
        reader.site.slug,
        *given,
        quoted(TITLE_PREFIX + terms.title),
        None if terms.marked is None else every_word(terms.marked),
        None if terms.is_phrase else every_word(terms.neighbours) or None,
        RANKED_MAX,
        SMALL_RESULT_MAX if terms.is_indexed else PHRASE_RESULT_MAX,
        CLOSE_MAX,
        _ranking(terms.required),
        None if terms.marked is None else _ranking(terms.marked),
        len(terms.required),
        *limit_offset,
        terms.title,
    )
    if not rows and (joined := joined_numbers(request.query)) != request.query:
        return await search(reader, replace(request, query=joined))
    is_narrowed = request.page > 1 or request.section or request.since or request.until
    if not rows and not is_narrowed and max(map(len, terms.required)) > 1:
        nearest = await _nearest(reader, terms, filters)
        return SearchResult(nearest, len(nearest), is_nearest=bool(nearest), terms=terms)
    articles = reader.track(rows)
    return SearchResult(articles[:size], rows[0]["found"] if rows else 0, len(articles) > size, terms=terms)


def _filters(reader: PageReader, request: SearchRequest) -> Filters:
    zone, day = reader.site.zone, timedelta(days=1)
    return (
        reader.site.section_keys(request.section) if request.section else [],
        datetime.combine(request.since, datetime.min.time(), zone) if request.since else LONG_AGO,
        datetime.combine(request.until + day, datetime.min.time(), zone) if request.until else FAR_AHEAD,
    )


def _ranking(words: Sequence[str]) -> list[str]:
    """Return the queries of the ranking, as the statement counts them."""
    return [
        every_word(words),
        every_word(words, ":A"),
        phrase(words, ":A"),
        phrase(words),
        every_word(words, ":AB"),
    ]


async def _nearest(reader: PageReader, terms: ParsedQuery, filters: Filters) -> list[Article]:
    for threshold in SIMILARITY_THRESHOLDS:
        await reader.connection.execute(reader.sql["set_similarity_threshold"], threshold)
        found = await reader.articles(
            "search_nearest",
            " ".join(terms.required),
            [quoted(word) for word in terms.required],
            [quoted(pair) for pair in terms.loose_pairs],
            terms.excluded,
            terms.excluded_folded,
            *filters,
            LOOSE_MAX,
            PAGE_RESULTS,
            SIMILAR_MAX,
        )
        if found:
            return found
    return []
