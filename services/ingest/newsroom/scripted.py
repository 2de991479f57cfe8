"""Forms that a page's script has sent: their body is a list of blocks, and not Markdown."""

from typing import Any

import msgspec

from services.ingest.content.errors import invalid
from services.ingest.newsroom.markdown import sent_blocks
from services.ingest.newsroom.pages import Page


def is_scripted(page: Page) -> bool:
    """Return whether the form was sent by the page's script: its body as blocks."""
    return page.text("body_format") == "blocks"


def typed_body(page: Page) -> str | list[dict[str, Any]]:
    """Return the body that somebody has sent: as Markdown, or as blocks if a script has sent it.

    Raises:
        InvalidContentError: the blocks of the script are not valid.
    """
    text = page.text("body")
    if not is_scripted(page):
        return text
    try:
        page.blocks = msgspec.json.decode(text or "[]", type=list[dict[str, Any]])
        return sent_blocks(page.blocks)
    except msgspec.MsgspecError as error:
        raise invalid("body", "not_blocks") from error


def shown_data(page: Page, stored: dict[str, Any] | None, version: int | None = None) -> dict[str, Any] | None:
    """Return what is stored for the page's script.

    Args:
        page: With the body that was sent, if it shows that again.
        stored: What the API has.
        version: That the form was made from, if it is another one.
    """
    if page.blocks is None:
        return stored
    return {**(stored or {}), "body": page.blocks, **({} if version is None else {"version": version})}


def saved_version(page: Page, stored: dict[str, Any]) -> int | None:
    """Return the version that was saved, for the page's script: the newest one may be another when it asks."""
    return int(stored["version"]) if is_scripted(page) else None
