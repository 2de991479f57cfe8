"""A counter as a piece of HTML: what stands inside `<access-counter>` for readers without scripts. Pure."""

from markupsafe import Markup

from services.stats.counter_api.badge import Show
from services.stats.counter_api.counter_query import CounterNumbers
from services.stats.counter_api.labels import SHOWN, WORDS, badge_label, with_separator

# A line for each number: it reads well without any styles, and is as high as what the component puts in its place.
_LINE = Markup('<div>{}: <b data-counter="{}">{}</b></div>')
_TITLE = Markup("<div><strong>{}</strong></div>")
_STALE = Markup('<div>{}: <time datetime="{}">{}</time></div>')
_ALL = Markup('<div class="access-counter" lang="{}">{}</div>\n')


def fragment(numbers: CounterNumbers, show: Show, language: str, separator: str) -> str:
    """Write a counter for a server-side include: words and numbers, no styles, no scripts.

    Args:
        numbers: What to show.
        show: One of the numbers beside its name, or `all` four below each other.
        language: vi or en.
        separator: Between thousands.
    """
    words = WORDS[language]
    lines = [_TITLE.format(words["article" if numbers.article else "title"])] if show == "all" else []
    for shown in SHOWN if show == "all" else (show,):
        label = words[shown] if show == "all" else badge_label(language, shown, numbers.measure)
        lines.append(_LINE.format(label, shown, with_separator(getattr(numbers, shown), separator)))
    if numbers.stale:
        lines.append(_STALE.format(words["stale"], numbers.as_of, numbers.as_of))
    return str(_ALL.format(language, Markup().join(lines)))
