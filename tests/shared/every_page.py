"""Prints everything that has texts, rendered for a site of one language, as JSON.

The test of a third language runs `python -m tests.shared.every_page pl` in a copy of the code.
"""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import get_args

import msgspec

from services.ingest.collector.own_traffic_html import OwnTrafficState, render_own_traffic
from services.render.pages.article_text import source_label
from services.render.pages.dates import local_date, local_day, month_name
from services.render.pages.html import render_article
from services.render.pages.page_data import RelatedArticles
from services.render.pages.theme_check import render_every_kind, sample_article
from services.render.pages.translations import language_name, og_locale, result_count
from services.stats.counter_api.badge import SHOWS, badge
from services.stats.counter_api.counter_query import CounterValues
from services.stats.counter_api.endpoints import WIDGET_SCRIPT
from services.stats.counter_api.fragment import fragment
from services.stats.statistics.exclusion_notes import ExclusionNote
from services.stats.statistics.formatting import Formatter
from services.stats.statistics.overview import SiteNumbers, sums
from services.stats.statistics.page import Reader, render_overview, render_page, render_token_form
from services.stats.statistics.page_data import PageData
from services.stats.statistics.referrer_spam import split_referrers
from services.stats.statistics.report_tables import (
    ReportFrame,
    history_table,
    pages_table,
    referrers_table,
    sections_table,
    top_table,
)
from services.stats.statistics.spreadsheets import Table as SheetTable
from services.stats.statistics.time_series import Comparison, Counts, Ledger, TimeSeries
from services.stats.statistics.top_articles import SectionCounts, TopArticle
from services.stats.statistics.top_pages import TopPage
from services.stats.suspects.finding import Suspect
from shared.articles import Cell, Embed, Table
from shared.events import CLIENT_CLASSES, Measure
from shared.sites import Section, Site
from shared.translations import ui_language

ORIGIN = "https://one.example"
AT = datetime(2026, 11, 24, 9, 5, tzinfo=UTC)
SECONDS = int(AT.timestamp())
COUNTER = CounterValues(
    site="one",
    online=20,
    today=679,
    week=1_712,
    total=1_490_782,
    measure="visitors",
    window="calendar",
    timezone="UTC",
    as_of=AT.isoformat(),
    stale=True,
)


def portal(site: Site) -> dict[str, str]:
    """Return a page of each kind, and an article whose table and video have no title of their own."""
    untitled = [Table([[Cell("–")]]), Embed("youtube", "abcdefghijk")]
    article = msgspec.structs.replace(sample_article("news"), language=site.language, body=untitled)
    return {
        "portal: untitled": render_article(article, RelatedArticles(), site, ORIGIN).body.decode(),
        **{f"portal: {kind}": page.body.decode() for kind, page in render_every_kind(site, ORIGIN).items()},
    }


EXCLUSIONS = [
    ExclusionNote(SECONDS, SECONDS + 3_600, SECONDS + 9_000, 900, is_excluded, "–") for is_excluded in (True, False)
]
LISTS = ("online", "pages_online", "refused_origins", "suspects", "exclusions", "referrers")
SUSPECTS = [
    Suspect(number << 28 | 1, SECONDS, SECONDS + 3_600, 900, 1_000, 1_000, 800, 1_500, 0.1)
    for number in range(len(CLIENT_CLASSES))
]


def statistics(site: Site) -> dict[str, str]:
    """Return the statistics page, full and empty, the page that asks for a token, and the texts of exports."""
    language, counts = ui_language(site), Counts(5, 2, 1)
    series = TimeSeries("day", [SECONDS, SECONDS + 86_400], [counts], Counts(), SECONDS)
    articles = [
        TopArticle("a", "–", None, "published", "/a.html", counts, 1),
        TopArticle("b", None, None, None, None),
        TopArticle("c", None, None, "killed", None),
    ]
    befores = {"24h": counts, "7d": None, "30d": Counts(1, 1, 1), "365d": counts}
    comparisons = {period: Comparison(counts, counts, before) for period, before in befores.items()}
    ledger = Ledger(
        {"counted": 8, "bot": 2, "own": 3}, {"crawler": 1, "headless": 1, "no-user-agent": 1, "excluded": 1}, {}
    )
    hosts = [("", 3), ("(other)", 1), ("a.example", 2), ("semalt.com", 1)]
    tops = {"today": [], "week": [], "always": articles}
    refused = [("https://a.example", 2), ("", 1)]
    pages = {"today": [], "week": [], "always": [TopPage("/–", counts, 1), TopPage("/*/b")]}
    full = PageData(
        COUNTER,
        7,
        "7d",
        series,
        comparisons,
        tops,
        articles[:1],
        pages,
        pages["always"],
        ledger,
        hosts,
        refused,
        EXCLUSIONS,
        SUSPECTS,
        SECONDS,
    )
    people = replace(full, period="24h", ledger=Ledger({"counted": 1}, {}, {}))
    empty = replace(full, period="365d", ledger=Ledger({}, {}, {}), **dict.fromkeys(LISTS, ()))
    frame = ReportFrame(site, language, SECONDS, "today", EXCLUSIONS)
    tables = [
        history_table(series, frame),
        top_table(articles, frame, ORIGIN, online=False),
        top_table(articles, frame, ORIGIN, online=True),
        pages_table(pages["always"], frame, ORIGIN, online=False),
        pages_table(pages["always"], frame, ORIGIN, online=True),
        sections_table([SectionCounts("", 1, counts)], frame),
        referrers_table(split_referrers(hosts, site), frame, 10, with_spam_hosts=True),
    ]
    pages = {
        name: render_page(numbers, site, Reader(owner, not owner, language), ORIGIN, lambda **_: "?")
        for name, numbers, owner in (("full", full, True), ("people", people, False), ("empty", empty, True))
    }
    rows = [SiteNumbers(site, COUNTER)]
    return {
        "statistics: overview": render_overview(
            rows, sums(rows), site, language, lambda **_: "?", measure="visitors", robots=True
        ),
        **{f"statistics: {name}": page for name, page in pages.items()},
        "statistics: token": render_token_form(site, language, wrong=True),
        "exports": "".join(f"<p>{text}</p>" for table in tables for text in texts_of(table)),
    }


def texts_of(table: SheetTable) -> list[str]:
    """Return what an exported table says."""
    cells = [str(cell) for row in table.rows for cell in row]
    return [table.title, *table.notes, *table.marks, *table.heads, *cells]


def own_traffic(site: Site) -> dict[str, str]:
    """Return the page of own traffic in each of its states."""
    refusals = ("link_expired", "link_invalid", "link_elsewhere", "not_of_this_page", "https_required", None)
    return {
        f"own traffic: {until}, {refusal}": render_own_traffic(
            site, OwnTrafficState(until, refusal is None, None if refusal else "a", refusal), None
        )
        for until in (None, SECONDS)
        for refusal in refusals
    }


def counters(site: Site) -> dict[str, str]:
    """Return the badge and the counter as HTML, with each of their numbers."""
    language, drawn = ui_language(site), {}
    for measure, show in product(get_args(Measure), SHOWS):
        numbers = msgspec.structs.replace(COUNTER, measure=measure)
        drawn[f"badge: {measure}, {show}"] = badge(numbers, show, "auto", language, ",")
        drawn[f"fragment: {measure}, {show}"] = fragment(numbers, show, language, ",")
    drawn["article"] = fragment(msgspec.structs.replace(COUNTER, article="a"), "all", language, ",")
    return drawn


def main(language: str) -> None:
    """Print all of it."""
    site = Site(
        slug="one",
        name="–",
        origins=[ORIGIN],
        timezone="UTC",
        language=language,
        sections=[Section("news", "–")],
        responsible="–",
        address="–",
        phone="–",
        email="–",
    )
    writing = Formatter(site, ui_language(site))
    small = {
        "results": [result_count(site, count) for count in (1, 3, 5)],
        "date": local_date(AT, site.zone, language),
        "day": local_day(AT, site.zone, language),
        "month": month_name(2026, 11, language),
        "short day": writing.bucket(SECONDS, SECONDS + 86_400, "day"),
        "percent": Formatter(msgspec.structs.replace(site, thousands_separator=" "), ui_language(site)).percent(1, 8),
        "language": language_name(site, "vi"),
        "og:locale": og_locale(site),
        "source": source_label(msgspec.structs.replace(sample_article("news"), language=language)),
    }
    pages = {**portal(site), **statistics(site), **own_traffic(site), **counters(site)}
    print(json.dumps({"pages": pages, "small": small, "widget": WIDGET_SCRIPT.decode()}))


if __name__ == "__main__":
    main(sys.argv[1])
