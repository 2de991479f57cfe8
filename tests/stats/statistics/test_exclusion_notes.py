"""What answers say of visitors who were taken out."""

from services.stats.statistics.exclusion_notes import ExclusionNote, notes_json, touched
from shared.sites import Site

SITE = Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="UTC")
DAY = 86_400
NOTE = ExclusionNote(DAY + 3_600, 2 * DAY, 2 * DAY + 60, 40_000, True, "a fleet of An")


def test_touched_buckets_have_an_hour_of_an_exclusion() -> None:
    """The end of an exclusion is not in it, as the end of a bucket is not in the bucket."""
    assert touched([NOTE], [0, DAY, 2 * DAY, 3 * DAY]) == [False, True, False]
    assert touched([NOTE], [DAY, DAY + 3_600, DAY + 7_200]) == [False, True]
    assert touched([], [0, DAY]) == [False]
    assert touched([NOTE], [0]) == []


def test_notes_json_has_no_reason() -> None:
    """The reason of the audit, which may name people, is in no answer."""
    (answer,) = notes_json([NOTE], SITE)
    assert answer["visitors"] == 40_000
    assert answer["excluded"] is True
    assert answer["from"] == "1970-01-02T01:00:00+00:00"
    assert "An" not in str(answer)
