"""The page of a view without an article: readable, one for all spellings, bounded, and without what may be private."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.stats.admin.reference_articles import NEW_PAGES_MAX as NEW_PAGES_MAX_OF_THE_MODEL
from services.stats.admin.reference_articles import page_name
from services.stats.counting.known_articles import NEW_PAGES_MAX, KnownArticles
from services.stats.counting.pages import CUT, PAGE_CHARACTERS_MAX, page_of
from services.stats.counting.rules import fold
from services.stats.counting.state import PartitionState
from tests.stats.counting.test_known_articles import DAY, MIDNIGHT, limited, view, views
from tests.stats.counting.test_rules import NOON, SITES

TOKEN = "9f86d081884c7d659a2feaa0c55ad015"


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/", "/"),
        ("gioi-thieu", "/gioi-thieu"),
        ("//a///b/", "/a/b/"),
        ("/a?key=secret", "/a"),
        ("/a#part", "/a"),
        ("/tin-t%E1%BB%A9c", "/tin-tức"),
        ("/tin-tu\u031b\u0301c", "/tin-tức"),
        ("/tin-tu%CC%9B%CC%81c", "/tin-tức"),
        ("/%F0%9F%98%80", "/😀"),
        ("/a%zz%E1", "/a%zz\ufffd"),
        ("/a%00b%0Ac%7F", "/a\ufffdb\ufffdc\ufffd"),
        ("/\u202egnp.exe\u200b\ufeff", "/\ufffdgnp.exe\ufffd\ufffd"),
        ("/\ud800", "/\ufffd"),
        ("/a%2F%2Fb", "/a/b"),
        ("/a%3Fb%23c", "/a?b#c"),
        ("/user/ann@example.com/edit", "/user/*/edit"),
        ("/user/ann%40example.com", "/user/*"),
        ("/call/0912345678", "/call/*"),
        ("/call/+84912345678", "/call/*"),
        ("/id/036012345678.html", "/id/*"),
        ("/order/123e4567-e89b-12d3-a456-426614174000/pay", "/order/*/pay"),
        (f"/reset/{TOKEN}", "/reset/*"),
        (f"/reset/{TOKEN.upper()}.html", "/reset/*"),
        ("/dat-lai/dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1gFWFOEjXk", "/dat-lai/*"),
        ("/hoi-nghi-so-ket-6-thang-dau-nam-2026-1234567.html", "/hoi-nghi-so-ket-6-thang-dau-nam-2026-1234567.html"),
        ("/lu-lut-20251129083012345.htm", "/lu-lut-20251129083012345.htm"),
        ("/thongbaotuyensinh2026.html", "/thongbaotuyensinh2026.html"),
        ("/node/12345", "/node/12345"),
        ("/2026/11/29/bao-so-9", "/2026/11/29/bao-so-9"),
    ],
)
def test_page_of_a_path_is_readable_and_not_private(path: str, page: str) -> None:
    """Escapes, forms of letters, slashes and queries make no other page; addresses, numbers and keys become a star."""
    assert page_of(path) == page_name(path) == page


def test_long_path_is_cut_after_private_segments_were_replaced() -> None:
    """A page has at most 200 characters, whatever its path is."""
    page = page_of(f"/{TOKEN}/" + "ă" * 500)
    assert page == "/*/" + "ă" * (PAGE_CHARACTERS_MAX - 4) + CUT
    assert page_of("/" + "a" * (PAGE_CHARACTERS_MAX - 1)) == "/" + "a" * (PAGE_CHARACTERS_MAX - 1)


letters = st.sampled_from(
    [*"/%#?@+.-_09aZ", "%2F", "%40", "0912345678", "%E1%BB", "ứ", "\u202e", "\ud800", "\0", "\x85", "\xa0"]
)


@given(
    st.text(max_size=100) | st.lists(letters, max_size=40).map("".join) | st.from_regex(r"/[0-9a-zA-Z]{10,30}(\.\w+)?")
)
@example("/\u0660" * 9)
@example("/" + "1a" * 9 + "\u0663")
def test_page_of_any_path_is_the_model_s(path: str) -> None:
    """Both models name the same page, and it is one that Postgres can store and that leads back to itself."""
    page = page_of(path)
    assert page == page_name(path)
    assert re.match("/(?!/)", page)
    assert len(page) <= PAGE_CHARACTERS_MAX
    assert "\0" not in page
    assert page.encode()


def test_view_without_an_article_counts_for_its_page() -> None:
    """Pages have views, visits and visitors of their own; views of articles count for no page."""
    records = [view(0, None, path="/a"), view(1, None, path="/a?x"), view(2, "bai-1", path="/b"), view(3, None)]
    deltas = fold(records, limited(5), SITES)
    assert views(deltas) == {"": 4, "/": 1, "/a": 2, "bai-1": 1}
    assert {one.article for one in deltas.daily_visitors} == {"/", "/a", "bai-1"}


def test_invented_paths_are_bounded_and_keep_no_article_out() -> None:
    """Pages have a limit of a day of their own; beyond it views count for the site alone, until the next day."""
    state = PartitionState(known_articles=KnownArticles(new_articles_max=1, new_pages_max=2))
    flood = [view(n, None, path=f"/invented-{n}") for n in range(9)]
    deltas = fold([*flood, view(9, "bai-1"), view(10, "bai-2")], state, SITES)
    assert views(deltas) == {"": 11, "/invented-0": 1, "/invented-1": 1, "bai-1": 1}
    assert deltas.uncounted_articles == {"haihau": 8}
    deltas = fold([view(11, None, path="/invented-5", at=MIDNIGHT)], state, SITES)
    assert [(one.article, one.day) for one in deltas.accepted_articles] == [("/invented-5", MIDNIGHT // DAY)]
    assert NEW_PAGES_MAX == NEW_PAGES_MAX_OF_THE_MODEL


def test_pings_and_bots_make_no_page() -> None:
    """Only views of people have a page."""
    records = [view(0, None, kind="ping"), view(1, None, bot="crawler"), view(2, None, kind="leave", at=NOON)]
    assert not fold(records, limited(5), SITES).accepted_articles
