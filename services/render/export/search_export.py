"""A generation → the files of the search of a static export, and the page that loads them."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

from services.render.crawl.all_pages import BulkPageReader
from services.render.export.search_files import MANIFEST, SearchFiles, indexed_words
from services.render.pages.dates import local_date
from services.render.pages.document import Document
from services.render.pages.html import render_search
from services.render.pages.search_query import SearchRequest, SearchResult
from shared.article_identity import local_iso
from shared.articles import Article

SEARCH_PAGE = "/tim-kiem"
BATCH_ARTICLES = 500
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
EPOCH = date(1970, 1, 1)


async def search_documents(reader: BulkPageReader) -> AsyncIterator[tuple[str, Document]]:
    """Yield the files of the search, each with its URL, the manifest last."""
    site = reader.site
    files = SearchFiles([section.slug for section in site.sections], site.language)
    last = (LONG_AGO, 0)
    while rows := await reader.connection.fetch(reader.sql["search_rows"], site.slug, *last, BATCH_ARTICLES):
        for row, article in zip(rows, await reader.contents(rows), strict=True):
            day = (row["listed_at"].astimezone(site.zone).date() - EPOCH).days
            files.add(article, indexed_words(dict(row)), day, _date(article, reader))
        last = (rows[-1]["listed_at"], rows[-1]["number"])
    for found in files.documents():
        yield found


def search_page(reader: BulkPageReader, public_url: str) -> Document:
    """Return the page of the search, which searches in the browser."""
    return render_search(SearchRequest(), SearchResult(), reader.site, public_url, search_index=MANIFEST)


def _date(article: Article, reader: BulkPageReader) -> tuple[str, str]:
    """Return the date of an article as a result shows it, and as ISO 8601."""
    site, at = reader.site, article.published_at
    if at is None or article.date_precision == "unknown":
        return "", ""
    return local_date(at, site.zone, site.language, article.date_precision), local_iso(at, site)
