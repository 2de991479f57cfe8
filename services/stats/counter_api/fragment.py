"""A counter as an HTML fragment: the content of `<access-counter>` without scripts. Pure."""

from markupsafe import Markup

from services.stats.counter_api.badge import Show
from services.stats.counter_api.counter_query import CounterValues
from services.stats.counter_api.labels import LABELS, SHOWN, badge_label
from shared.translations import group_thousands

# A line for each value: it is legible without styles, and as high as the component that replaces it.
_LINE = Markup('<div>{}: <b data-counter="{}">{}</b></div>')
_TITLE = Markup("<div><strong>{}</strong></div>")
_STALE = Markup('<div>{}: <time datetime="{}">{}</time></div>')
_ALL = Markup('<div class="access-counter" lang="{}">{}</div>\n')


def fragment(values: CounterValues, show: Show, language: str, separator: str) -> str:
    """Render a counter for a server-side include: labels and values, no styles, no scripts.

    Args:
        values: The counter.
        show: One of the values with its name, or `all` four below each other.
        language: Code of a language that has a catalogue.
        separator: Between thousands.
    """
    labels = LABELS[language]
    lines = [_TITLE.format(labels["article" if values.article else "counter"])] if show == "all" else []
    for shown in SHOWN if show == "all" else (show,):
        label = labels[shown] if show == "all" else badge_label(language, shown, values.measure)
        lines.append(_LINE.format(label, shown, group_thousands(getattr(values, shown), separator)))
    if values.stale:
        lines.append(_STALE.format(labels["stale"], values.as_of, values.as_of))
    return str(_ALL.format(language, Markup().join(lines)))
