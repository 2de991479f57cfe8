"""Which article ids have counts, in the reference model."""

from services.stats.admin.reference_articles import (
    ALL_IN_THE_LOG,
    UNCERTAIN_MS,
    WINDOWS_PER_DAY,
    Acceptance,
    ArticleKey,
    KnownArticles,
    StoredArticles,
)

DAY = 20_000
FIRST = DAY * WINDOWS_PER_DAY
"""The first window of a day."""
A, B, C = (ArticleKey("haihau", name) for name in "abc")


def test_day_is_full_after_the_limit_and_the_next_one_is_not() -> None:
    """The ids that come first are known, the others may become known on the next day; each site has its own limit."""
    known = KnownArticles(ALL_IN_THE_LOG, 1)
    assert [known.counts(key, n, FIRST) for n, key in enumerate((A, B, A, B))] == [True, False, True, False]
    assert known.counts(B._replace(site="berlin"), 4, FIRST)
    assert known.counts(B, 5, FIRST + WINDOWS_PER_DAY)
    assert known.in_log[A] == Acceptance(0, DAY)
    assert known.in_log[B] == Acceptance(5, DAY + 1)


def test_articles_of_deleted_records_are_known_and_fill_their_day() -> None:
    """What was accepted before the log's beginning is known, and counts for the limit of that day."""
    stored = StoredArticles({A: Acceptance(3, DAY), B: Acceptance(-1, None)}, 10, True)
    known = KnownArticles(stored, 1)
    known.advance(0)
    known.advance(UNCERTAIN_MS)
    assert [known.counts(key, 20, FIRST) for key in (A, B, C)] == [True, True, False]
    assert known.counts(C, 21, FIRST + WINDOWS_PER_DAY)
    assert known.in_log == {C: Acceptance(21, DAY + 1)}


def test_articles_near_the_beginning_of_a_trimmed_log_are_those_that_are_stored() -> None:
    """A view that may repeat a deleted one makes an article known only if that is stored, at its offset."""
    stored = StoredArticles({A: Acceptance(11, DAY)}, 10, True)
    known = KnownArticles(stored, 2_000)
    known.advance(7)
    assert [known.counts(key, offset, FIRST) for key, offset in ((A, 10), (B, 10), (A, 11))] == [False, False, True]
    known.advance(6 + UNCERTAIN_MS)
    assert not known.counts(B, 12, FIRST)
    known.advance(7 + UNCERTAIN_MS)
    known.advance(0)  # an arrival that goes backwards
    assert known.counts(B, 13, FIRST)
    assert known.in_log == {A: Acceptance(11, DAY), B: Acceptance(13, DAY)}


def test_articles_of_a_former_log_are_known_from_their_offset_on() -> None:
    """After a loss of records ids are known from the first later record on, and fill no day."""
    stored = StoredArticles({A: Acceptance(10, None)}, 0, True)
    known = KnownArticles(stored, 1)
    known.advance(0)
    known.advance(UNCERTAIN_MS)
    assert [known.counts(key, offset, FIRST) for key, offset in ((A, 9), (A, 10), (B, 11))] == [False, True, True]


def test_whole_log_must_have_the_view_of_each_article_with_a_day() -> None:
    """A log that was never trimmed excuses no row: only those of a former version have no view in it."""
    stored = StoredArticles({}, 0, False)
    assert stored.is_of_the_log(Acceptance(-5, DAY))
    assert not stored.is_of_the_log(Acceptance(-1, None))
    assert not StoredArticles({}, 10, True).is_of_the_log(Acceptance(9, DAY))


def test_pages_are_known_from_the_offset_of_their_upgrade_on() -> None:
    """What a version without pages counted has none; articles do not depend on it, and each has its own limit."""
    page = ArticleKey("haihau", "/a")
    known = KnownArticles(StoredArticles({}, 0, False, pages_from=5), 1, 1)
    found = [known.counts(key, offset, FIRST) for offset, key in ((3, page), (4, A), (5, page), (6, B))]
    assert found == [False, True, True, False]
    assert not known.counts(page._replace(article="/b"), 7, FIRST)
    assert known.in_log == {A: Acceptance(4, DAY), page: Acceptance(5, DAY)}
