"""The counter's labels in each language. Pure. Those in widget.js come from here, by `make words`."""

from typing import Literal, get_args

from shared.events import Measure
from shared.translations import COUNTER_WORDS, _, translate

Shown = Literal["online", "today", "week", "total"]
SHOWN = get_args(Shown)

LABELS = translate(
    {
        **COUNTER_WORDS,
        "article": _("Article statistics"),
        "stale": _("not current"),
        "views_today": _("Views today"),
        "views_week": _("Views this week"),
        "visits_today": _("Visits today"),
        "visits_week": _("Visits this week"),
        "visitors_today": _("Visitors today"),
        "visitors_week": _("Visitors this week"),
    }
)


def badge_label(language: str, shown: Shown, measure: Measure) -> str:
    """Return the label of a badge with one number, complete enough to be understood alone."""
    name = {"online": "online", "total": measure}.get(shown, f"{measure}_{shown}")
    return str(LABELS[language][name])
