"""Blocks of an article that show another article of its site: which one, and its public title for other systems."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from services.ingest.content.errors import InvalidContentError, field_error
from services.ingest.queries import SQL
from shared.articles import Article, Block, Related, is_public
from shared.postgres import Connection


async def resolve_related(connection: Connection, article: Article) -> Article:
    """Return the article with ID and number of each article that its body shows.

    Whether that one is public makes no difference: pages show it while it is. A card that the article has already
    stays, whatever became of the other one: else nobody could change the rest, and a time of publication would pass.

    Raises:
        InvalidContentError: there is no such article on the site, or it is the article itself.
    """
    if not _unresolved(article.body):
        return article
    stored = await connection.fetch(SQL["related_blocks_of_article"], article.id)
    known = [Related(row["article"], row["number"]) for row in stored]
    article = msgspec.structs.replace(article, body=with_known_cards(article.body, known))
    wanted = _unresolved(article.body)
    ids = [block.article for block in wanted.values()]
    numbers = [block.number for block in wanted.values() if not block.article]
    rows = await connection.fetch(SQL["articles_of_related_blocks"], article.site, ids, numbers) if wanted else []
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


def with_known_cards(body: Sequence[Block], known: Iterable[Block]) -> list[Block]:
    """Return a body whose cards have ID and number of those of the same articles that are among known blocks."""
    cards = [one for one in known if isinstance(one, Related)]
    by_id = {one.article: one for one in cards}
    by_number = {one.number: one for one in cards}
    return [
        (by_id.get(one.article) if one.article else by_number.get(one.number)) or one
        if isinstance(one, Related)
        else one
        for one in body
    ]


def _unresolved(body: Sequence[Block]) -> dict[int, Related]:
    """Return the cards, by their place, of which the ID or the number is not known."""
    cards = {number: block for number, block in enumerate(body) if isinstance(block, Related)}
    return {number: block for number, block in cards.items() if not block.article or block.number is None}


async def public_targets(connection: Connection, article: Article, now: datetime) -> Mapping[str, Article]:
    """Return those articles by ID that the body shows and that are public: nothing is said of any other one."""
    ids = [block.article for block in article.body if isinstance(block, Related)]
    rows = await connection.fetch(SQL["live_articles"], article.site, ids) if ids else []
    found = [msgspec.json.decode(row["live"], type=Article) for row in rows]
    return {one.id: one for one in found if is_public(one, now)}
