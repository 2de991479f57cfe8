"""The page of own traffic as HTML. Pure. Imported when somebody opens it: no other part of the collector has pages."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.ingest.collector.translations import WORDS
from shared.sites import Site
from shared.translations import LANGUAGES, ui_language

STYLE = (
    ":root{color-scheme:light dark;font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;"
    "line-height:1.6;--soft:#51605c;--brand:#0d5c50;--card:#fff}"
    "@media (prefers-color-scheme:dark){:root{--soft:#a3b1ab;--brand:#66c2af;--card:#121715}}"
    "main{width:min(100% - 2rem,40rem);margin:3rem auto}h1{margin:0;line-height:1.25}"
    ".site,.note{color:var(--soft);margin-top:.2rem}.note{margin-top:1.5rem;font-size:.95rem}"
    "[role=alert],#state{padding:.8rem 1rem;border:1px solid var(--soft);border-radius:.5rem}"
    "[role=alert]{border-width:2px;font-weight:600}"
    "#state{margin-block:1rem}#state p{margin:0}#state p+p{margin-top:.6rem}"
    "button{font:inherit;min-height:2.75rem;padding:.5rem 1.1rem;border:0;border-radius:.5rem;background:var(--brand);"
    "color:var(--card);cursor:pointer}:focus-visible{outline:3px solid #8f5500;outline-offset:2px}"
    "a{color:var(--brand)}nav{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;margin-top:1.5rem}"
)
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

_environment = Environment(
    loader=PackageLoader(__package__, "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class OwnTrafficState(NamedTuple):
    """What the page shows."""

    until: int | None
    """When the browser's cookie ends, in seconds since 1970 UTC; None: it has none."""
    is_own_address: bool
    link: str | None
    """A link that is valid here."""
    refusal: str | None
    """Why it is not, or why the choice was not taken: the name of a text."""


def render_own_traffic(site: Site, state: OwnTrafficState, asked_language: str | None) -> str:
    """Render the page.

    Args:
        site: Whose own traffic it is.
        state: What it shows.
        asked_language: Of the request; None for that of the site.
    """
    language = ui_language(site, asked_language)
    until = None
    if state.until is not None:
        until = LANGUAGES[language].date(WORDS[language]["date"], datetime.fromtimestamp(state.until, UTC))
    return _environment.get_template("own_traffic.html").render(
        site=site,
        language=language,
        languages=list(LANGUAGES.values()),
        words=WORDS[language],
        style=STYLE,
        until=until,
        is_own_address=state.is_own_address,
        link=state.link,
        refusal=state.refusal,
    )
