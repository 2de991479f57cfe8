"""The texts of the portal's pages, in each language."""

from shared.sites import Site
from shared.translations import (
    COUNTER_WORDS,
    LANGUAGES,
    Words,
    _,
    group_thousands,
    nearest_language,
    ngettext,
    pgettext,
    translate,
    ui_language,
)

WORDS = translate(
    {
        **COUNTER_WORDS,
        "about": _("About and contact"),
        "address": _("Address"),
        "advertisement": _("Advertisement"),
        "all_months": _("Archive by month"),
        "archive": _("Archive"),
        "author": _("Author"),
        "back_to_top": _("Back to top"),
        "banners": _("Banners"),
        "breaking": _("Breaking news"),
        "by_date": _("Newest first"),
        "by_relevance": _("Relevance"),
        "close": _("Close"),
        "contact": _("Contact"),
        "contrast": _("High contrast"),
        "copied": _("Link copied"),
        "copy_link": _("Copy link"),
        "correction": _("Correction"),
        "corrections": _("Corrections"),
        "corrections_about": _("Corrections of published articles, the newest first."),
        "date": _("Date"),
        "email": _("E-mail"),
        "feeds": _("Feeds (RSS, Atom)"),
        "filters": _("Filter and sort"),
        "from": pgettext("range", "From"),
        "highlights": _("Top stories"),
        "home": _("Home"),
        "larger": _("Larger text"),
        "latest": _("Latest"),
        "link_video": _("Watch the video"),
        "listen": pgettext("verb", "Listen"),
        "mail": _("Send by e-mail"),
        "menu": _("Sections"),
        "more": _("More"),
        "most_read": _("Most read"),
        "nearest": _("No exact match. The closest results:"),
        "newer": _("Newer"),
        "newer_page": _("Previous page"),
        "media": _("Photos and videos"),
        "next_picture": _("Next picture"),
        "no_articles": _("There are no articles yet."),
        "no_corrections": _("No article has needed a correction yet."),
        "notices": _("Notices"),
        "no_results": _("No article was found."),
        "older": _("Older"),
        "older_page": _("Next page"),
        "other_site": _("Another site"),
        "page": _("Page"),
        "pause": pgettext("verb", "Pause"),
        "phone": _("Phone"),
        "photo": _("Photos"),
        "picture": _("Picture"),
        "pictures": _("Pictures"),
        "previous_picture": _("Previous picture"),
        "print": pgettext("verb", "Print"),
        "published_by": _("Published by"),
        "quick_links": _("Quick links"),
        "related": _("Related"),
        "responsible": _("Responsible for content"),
        "resume": pgettext("verb", "Continue"),
        "save": pgettext("verb", "Save"),
        # Translators: {count} is a number that the page puts in.
        "results_found": _("Results: {count}"),
        "search": _("Search"),
        "search_failed": _("The search could not be loaded. Please try again."),
        "search_needs_script": _("This copy of the site searches in the browser: please switch JavaScript on."),
        "searching": _("Searching …"),
        "search_hint": _("Search all articles"),
        "section": _("Section"),
        "sections_all": _("All sections"),
        "share": pgettext("verb", "Share"),
        "site_map": _("Site map"),
        "skip": _("Skip to content"),
        "smaller": _("Smaller text"),
        "sort": _("Sort by"),
        "stop": pgettext("verb", "Stop"),
        "table": _("Table"),
        "source": _("Original source"),
        "tag": _("Tag"),
        "tags": _("Tags"),
        "to": pgettext("range", "To"),
        "tools": _("Text size and contrast"),
        "try_again": _("Try fewer words."),
        "updated": _("Updated:"),
        "video": _("Video story"),
        "web_address": _("Web address"),
    }
)
_ERRORS = translate(
    {
        "404": [_("Page not found"), _("There is no such page, or it has moved.")],
        "410": [_("This article was withdrawn"), _("It is no longer on this site.")],
        "500": [_("Something went wrong"), _("The error has been logged. Please try again in a few minutes.")],
        "503": [_("Back in a moment"), _("Please try again in a few minutes.")],
    }
)
ERROR_STATUSES = (404, 410, 500, 503)
_RESULTS = ngettext("{count} result", "{count} results")
_RESULTS_AT_LEAST = ngettext("{count}+ result", "{count}+ results")
_OTHERS = translate(
    {
        # Translators: og:locale of a site that names no country, as in facebook.com/translations/FacebookLocales.xml.
        "locale": pgettext("og:locale", "en_GB"),
        # Translators: before the name of an article's source.
        "source": _("Source:"),
    }
)
DATE_PATTERNS = translate(
    {
        # Translators: the fields are weekday, day, month, month_name, month_short and year; {day:02} is "04".
        "date_with_weekday": pgettext("date", "{weekday}, {day} {month_name} {year}"),
        "date": pgettext("date", "{day} {month_name} {year}"),
        # Translators: a day of the last weeks, beside an hour, in little space.
        "day_and_month": pgettext("date", "{day} {month_short}"),
        # Translators: month_title is the name of a month that is not part of a date.
        "month": pgettext("date", "{month_title} {year}"),
    }
)
"""Format strings of `Language.date`."""


def translations(site: Site) -> Words:
    """Return the texts of a site's pages."""
    return WORDS[ui_language(site)]


def error_text(site: Site, status: int) -> tuple[str, str]:
    """Return title and sentence of an error page."""
    title, sentence = _ERRORS[ui_language(site)][str(status)]
    return title, sentence


def result_count(site: Site, count: int, *, more: bool = False) -> str:
    """Write how many results there are, by the rules of the site's language; `more`: at least so many."""
    text = LANGUAGES[ui_language(site)].plural(_RESULTS_AT_LEAST if more else _RESULTS, count)
    return text.format(count=group_thousands(count, site.thousands_separator))


def language_name(site: Site, language: str) -> str:
    """Return the name of a language in the site's own."""
    return LANGUAGES[ui_language(site)].name_of(language)


def og_locale(site: Site) -> str:
    """Return the site's language and country as Open Graph writes them."""
    if "-" in site.language:
        return site.language.replace("-", "_")
    return str(_OTHERS[ui_language(site)]["locale"])


def source_word(language: str) -> str:
    """Return the word before a source's name in an article's language."""
    return str(_OTHERS[nearest_language(language)]["source"])
