"""What has ended is cut out of a page: whole elements, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from services.render.pages.ended import last_end, next_end, until_mark, without_ended

AT = datetime(2026, 11, 30, 17, tzinfo=UTC)
SOON, LATER = AT - timedelta(seconds=1), AT + timedelta(seconds=1)


class Part(NamedTuple):
    """A part of a page."""

    until: datetime | None


def marked(tag: str, until: datetime | None, inside: str) -> str:
    return f'<{tag} class="x"{until_mark(until)}>{inside}</{tag}>'


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>a</p>", "<p>a</p>"),
        (f"<ul>{marked('li', SOON, 'a')}{marked('li', LATER, 'b')}</ul>", f"<ul>{marked('li', LATER, 'b')}</ul>"),
        (f"{marked('li', AT, '<ul><li>b<ul><li>c</li></ul></li></ul>')}<li>d</li>", "<li>d</li>"),
        (marked("div", SOON, marked("figure", SOON, "a")) + "b", "b"),
        (
            marked("div", LATER, marked("div", SOON, "a") + "<div>b</div>"),
            marked("div", LATER, "<div>b</div>"),
        ),
        (marked("a", SOON, "<article>b</article><aside>c</aside>") + "d", "d"),
        (marked("nav", None, "a"), '<nav class="x">a</nav>'),
        ('<p data-until="tomorrow">a</p>', '<p data-until="tomorrow">a</p>'),
        ('<p data-until="2000-01-01T00:00:00">a</p>', '<p data-until="2000-01-01T00:00:00">a</p>'),
        ("<p>&lt;i data-until=&#34;2000-01-01T00:00:00Z&#34;&gt;</p>",) * 2,
        (f"{marked('li', SOON, 'a')[:-5]}", ""),
    ],
)
def test_element_that_has_ended_is_cut_with_all_that_is_in_it(html: str, expected: str) -> None:
    """Elements of the same name inside and around it, other ends and unreadable ones make a difference."""
    assert without_ended(html, AT) == expected
    assert next_end(expected) in (None, LATER)


def test_next_end_is_the_first_in_any_zone() -> None:
    """The next end is an instant, however it is written."""
    html = marked("li", LATER, "") + '<p data-until="2026-12-01T00:00:00.500000+07:00"></p>'
    assert next_end(html) == AT + timedelta(seconds=0.5)
    assert next_end("<p></p>") is None


def test_group_ends_with_its_last_part() -> None:
    """A group of which one part stays, and one without parts, has no end."""
    assert last_end([Part(SOON), Part(LATER)]) == LATER
    assert last_end([Part(SOON), Part(None)]) is None
    assert last_end([]) is None
