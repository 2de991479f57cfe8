"""A counter as a piece of HTML: what stands inside `<access-counter>` for readers without scripts. Pure."""

from markupsafe import Markup

from services.stats.reading import CounterNumbers
from services.stats.wording import SHOWN, WORDS, with_separator

_ROW = Markup('<div><dt>{}</dt><dd data-counter="{}">{}</dd></div>')
_ALL = Markup('<div class="access-counter" lang="{}"><strong>{}</strong><dl>{}</dl>{}</div>\n')
_STALE = Markup('<small>{}: <time datetime="{}">{}</time></small>')


def fragment(numbers: CounterNumbers, language: str, separator: str) -> str:
    """Write a counter for a server-side include: words and numbers, no styles, no scripts.

    Args:
        numbers: What to show.
        language: vi or en.
        separator: Between thousands.
    """
    words = WORDS[language]
    rows = (_ROW.format(words[shown], shown, with_separator(getattr(numbers, shown), separator)) for shown in SHOWN)
    stale = _STALE.format(words["stale"], numbers.as_of, numbers.as_of) if numbers.stale else ""
    title = words["article" if numbers.article else "title"]
    return str(_ALL.format(language, title, Markup().join(rows), stale))
