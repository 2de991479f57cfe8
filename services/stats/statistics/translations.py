"""The texts of the statistics page and the exports, in each language."""

from shared.translations import COUNTER_WORDS, LANGUAGES, _, ngettext, pgettext, translate

WORDS = translate(
    {
        **COUNTER_WORDS,
        "skip": _("Skip to content"),
        "portal": _("To the portal"),
        "now": _("Now"),
        "portals": _("Portals"),
        "portal_name": _("Portal"),
        "all_portals": _("All portals"),
        "portals_note": _("Somebody who visits several portals counts on each of them."),
        "measure": _("Measure"),
        "month": _("This month"),
        "always": _("All time"),
        "period": _("Period"),
        "24h": _("24 hours"),
        "7d": _("7 days"),
        "30d": _("30 days"),
        "365d": _("365 days"),
        "overview": _("Overview"),
        "overview_note": _("Percentages compare with the same length of time just before, up to the same time of day."),
        "no_earlier_data": _("no earlier data"),
        "unchanged": _("unchanged"),
        "trend": _("Over time"),
        "hour": _("Hour"),
        "day": _("Day"),
        "week_of": _("Week"),
        "most_read": _("Most read"),
        "most_read_pages": _("Most read pages"),
        "page": _("Page"),
        "pages_note": _(
            "Pages without an article ID. Anybody can send views of any path: so they are shown with the token only."
        ),
        "owner_note": _("The most read pages are shown with the token of the site."),
        "refused": _("Views refused, yesterday and today, because the address of the page is not declared:"),
        "refused_origin": _("views refused: origin {origin} is not declared"),
        "refused_other": _("views refused: other origins are not declared"),
        "refused_note": _("Origins are what senders claim. Declare one in the site configuration if it is yours."),
        "active_now": _("Active now"),
        "no_active_visitors": _("No active visitors."),
        "no_data": _("No data yet."),
        "removed": _("(removed)"),
        "untitled": _("(untitled article)"),
        "people_and_bots": _("People and bots"),
        "people": _("People"),
        "own": _("Own traffic"),
        "bots": _("Bots"),
        "bots_note": _(
            "Events received (page view, heartbeat, leave) on the days of the period. Bots are never counted as people,"
            " nor is own traffic: that of staff of the portal, by address or by their own choice."
        ),
        "suspects": _("Groups that behave as programs do"),
        "suspect": _(
            "{day}, {begin} to {end}: {visitors} visitors ({share} of all) have one and the same browser ({browser})"
            " and come from about {networks} networks. Each opens one page, and {silent} of the pages send nothing"
            " after that; of everybody else's {rest}. Group {group}."
        ),
        "suspects_note": _("They are counted as people until somebody takes them out. Evidence is half an hour old."),
        "exclusion_mark": _("Visitors of programs were taken out of these numbers later"),
        "exclusion": _(
            "{day}, {begin} to {end}: {visitors} visitors turned out to be programs. They were taken out of all numbers"
            " at {at}, and are among the bots."
        ),
        "exclusion_reversed": _(
            "{day}, {begin} to {end}: {visitors} visitors were taken out of all numbers at {at} and put back later."
        ),
        "browsers": {
            "other": _("another program"),
            "app": _("inside an app"),
            "chrome-phone": _("Chrome on a phone"),
            "chrome-computer": _("Chrome on a computer"),
            "safari-phone": _("Safari on a phone"),
            "safari-computer": _("Safari on a computer"),
            "firefox-phone": _("Firefox on a phone"),
            "firefox-computer": _("Firefox on a computer"),
            "edge": _("Edge"),
            "samsung": _("Samsung Internet"),
            "opera": _("Opera"),
            "coccoc": _("Cốc Cốc"),
        },
        "reason": _("Detected by"),
        "events": _("Events"),
        "share": pgettext("percentage", "Share"),
        "no_bots": _("No bots"),
        "referrers": _("Referrers"),
        "referrers_note": _("The website that led to each visit, on the days of the period."),
        "spam": _("Referrer spam"),
        "spam_note": _(
            "Hosts that lists of referrer spam name. Their visits are counted as all others are, and shown apart."
        ),
        "yes": _("Yes"),
        "host": _("Website"),
        "direct": _("Direct / unknown"),
        "other": _("Other websites"),
        "ledger": _("Ledger"),
        "ledger_note": _("Every event received, by day of arrival, is in exactly one column."),
        "received": _("Received"),
        "counted": _("on time"),
        "late": _("late"),
        "duplicate": _("duplicates"),
        "bot": _("bots"),
        "dead_lettered": _("invalid"),
        "exports": _("Downloads"),
        "exports_note": _("The files open in Excel. Their URLs take the parameters from, to, step and section."),
        "history_by": {
            "hour": _("Numbers by hour"),
            "day": _("Numbers by day"),
            "week": _("Numbers by week"),
            "month": _("Numbers by month"),
        },
        "export_sections": _("By section"),
        "meaning": _("What is counted"),
        "meanings": [
            _("View: a page was opened. A view that is sent twice counts once."),
            _("Visit: begins with a view after 30 minutes of inactivity."),
            _("Visits and visitors of an article: those that began on it."),
            _("Visitor: a visitor ID within a day. IDs change every day: several days are the sum of their days."),
            _("Online: visitors with an event within the last 5 minutes who have not left."),
        ],
        "as_of": _("As of"),
        "counted_until": _("events are counted until"),
        "opening": _("“All time” includes the opening balance:"),
        "section": _("Section"),
        "no_section": _("(unknown)"),
        "articles": _("Articles"),
        "rank": _("Rank"),
        "article": _("Article"),
        "address": _("Address"),
        "state": _("State"),
        "id": _("Article ID"),
        "begin": _("Start"),
        "end": _("End"),
        "token": _("Token"),
        "token_note": _("The statistics of this site require a token."),
        "token_wrong": _("Invalid token."),
        "token_send": _("View statistics"),
        "bot_reasons": {
            "crawler": _("crawler"),
            "excluded": _("taken out later"),
            "headless": _("headless browser"),
            "no-user-agent": _("no user agent"),
        },
    }
)
PATTERNS = translate(
    {
        # Translators: the fields are weekday, day, month, month_name, month_short and year; {day:02} is "04".
        "date": pgettext("short date", "{day} {month_short} {year}"),
        "day": pgettext("short date", "{day} {month_short}"),
        "percent": pgettext("percentage", "{number}%"),
    }
)
"""Format strings of `Language.date` and of shares."""
_UNITS = {
    # Translators: after a number, for screen readers.
    "views": ngettext("view", "views"),
    # Translators: after a number, for screen readers.
    "visitors": ngettext("visitor", "visitors"),
}


def counted_unit(language: str, unit: str, count: int) -> str:
    """Return the name of what was counted, in the form that goes with the number."""
    return LANGUAGES[language].plural(_UNITS[unit], count)
