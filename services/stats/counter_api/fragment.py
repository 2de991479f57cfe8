"""A counter as a piece of HTML: what stands inside `<access-counter>` for readers without scripts. Pure."""

from markupsafe import Markup

from services.stats.counter_api.badge import Show
from services.stats.counter_api.counter_query import CounterNumbers
from services.stats.counter_api.labels import LABELS, SHOWN, badge_label
from shared.translations import group_thousands

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
        language: Code of a language that has a catalogue.
        separator: Between thousands.
    """
    labels = LABELS[language]
    lines = [_TITLE.format(labels["article" if numbers.article else "counter"])] if show == "all" else []
    for shown in SHOWN if show == "all" else (show,):
        label = labels[shown] if show == "all" else badge_label(language, shown, numbers.measure)
        lines.append(_LINE.format(label, shown, group_thousands(getattr(numbers, shown), separator)))
    if numbers.stale:
        lines.append(_STALE.format(labels["stale"], numbers.as_of, numbers.as_of))
    return str(_ALL.format(language, Markup().join(lines)))
