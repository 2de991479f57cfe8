"""Blocks of an article that show another article of its site: which one, and its public title for other systems."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from services.ingest.content.errors import InvalidContentError, field_error
from services.ingest.queries import SQL
from shared.articles import Article, Related, is_public
from shared.postgres import Connection


async def resolve_related(connection: Connection, article: Article) -> Article:
    """Return the article with ID and number of each article that its body shows.

    Whether that one is public makes no difference: pages show it while it is.

    Raises:
        InvalidContentError: there is no such article on the site, or it is the article itself.
    """
    wanted = {number: block for number, block in enumerate(article.body) if isinstance(block, Related)}
    if not wanted:
        return article
    ids = [block.article for block in wanted.values()]
    numbers = [block.number for block in wanted.values() if not block.article]
    rows = await connection.fetch(SQL["articles_of_related_blocks"], article.site, ids, numbers)
    by_id = {row["id"]: row for row in rows}
    by_number = {row["number"]: row for row in rows}
    errors, body = [], list(article.body)
    for number, block in wanted.items():
        row = by_id.get(block.article) if block.article else by_number.get(block.number)
        if row is None:
            errors.append(field_error(f"body.{number}.article", "no_such_article"))
        elif row["id"] == article.id:
            errors.append(field_error(f"body.{number}.article", "related_to_itself"))
        else:
            body[number] = Related(row["id"], row["number"])
    if errors:
        raise InvalidContentError(errors)
    return msgspec.structs.replace(article, body=body)


async def public_targets(connection: Connection, article: Article, now: datetime) -> Mapping[str, Article]:
    """Return those articles by ID that the body shows and that are public: nothing is said of any other one."""
    ids = [block.article for block in article.body if isinstance(block, Related)]
    rows = await connection.fetch(SQL["live_articles"], article.site, ids) if ids else []
    found = [msgspec.json.decode(row["live"], type=Article) for row in rows]
    return {one.id: one for one in found if is_public(one, now)}
