"""Blocks that WordPress's editor stores without their content, which it adds when it shows a page. Pure."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import Any

from services.ingest.imports.warnings import ItemWarning, make_warning

_DYNAMIC = re.compile(
    r"<!--\s+wp:(?P<name>[a-z][a-z0-9/_-]{0,80})\s+(?P<attributes>\{(?:(?!-->|<!--).)*\}\s+)?/-->", re.DOTALL
)
_INVISIBLE = frozenset(("more", "nextpage", "spacer", "separator", "paragraph", "freeform", "html", "template-part"))
_PARTS_OF_PAGE = ("post-", "site-", "query", "comments", "navigation", "loginout")
"""Blocks of the page around an article."""
MEMBERS_ONLY = re.compile(
    r"<!--\s*wp:(?:jetpack/paywall|premium-content/|[\w-]{1,40}/[\w-]{0,40}(?:members?|restrict|paywall|private|protect))"
    r"|(?<!\[)\[(?:restrict\w*|members?(?:[_-]?only|ship)?|s2if|s2member[\w-]*|pmpro_member\w*|mepr[_-]\w+|rcp[_-]?\w*"
    r"|um_(?:loggedin|show_content)|private|protect(?:ed)?|passster|content_protector|wcm_restrict|wlm_\w+|logged_?in|is_logged_in"
    r"|groups_member|ihc[_-]hide[\w-]*|arm_restrict_content|swpm_\w+|paywall|premium\w*|access|hide(?:to|from)?)(?=[\]\s])",
    re.IGNORECASE,
)
"""The beginning of a part that plugins of WordPress show to some visitors only."""


def with_dynamic_blocks(text: str, blocks: Mapping[str, str], footnotes: str, warnings: list[ItemWarning]) -> str:
    """Return a text with the blocks that are stored elsewhere; a warning counts those that are left out.

    Args:
        text: The text of a post.
        blocks: The texts of reusable blocks, by their IDs.
        footnotes: The post's meta value of this name, in JSON.
        warnings: What is lost is appended here.
    """
    if "/-->" not in text:
        return text
    lost: Counter[str] = Counter()

    def replaced(found: re.Match[str]) -> str:
        name, attributes = found["name"], _attributes(found["attributes"])
        if name == "block" and str(attributes.get("ref")) in blocks:
            return blocks[str(attributes["ref"])]
        if name == "footnotes" and footnotes:
            return _footnotes(footnotes)
        url = attributes.get("url")
        if isinstance(url, str) and url.startswith(("http://", "https://")):
            return f"<p>{escape(url)}</p>"
        if name not in _INVISIBLE and not name.startswith(_PARTS_OF_PAGE):
            lost[name] += 1
        return ""

    text = _DYNAMIC.sub(replaced, text)
    for name, count in lost.items():
        message = f"{count} blocks {name} were left out: the export does not have what they show"
        warnings.append(make_warning("shortcode", message))
    return text


def _attributes(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _footnotes(text: str) -> str:
    try:
        notes = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    found = [str(one.get("content") or "") for one in notes if isinstance(one, dict)] if isinstance(notes, list) else []
    return "<ol>" + "".join(f"<li>{one}</li>" for one in found) + "</ol>" if found else ""
