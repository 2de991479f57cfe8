"""Evidence in the reference model: rows of windows, in slow and plain code."""

from services.stats.admin.reference_evidence import OTHERS, EvidenceKey, EvidenceModel
from shared.events import PageEvent
from tests.stats.admin.test_reference_model import NOON

DAY = NOON // 1000 - 12 * 3_600


def event(number: int, kind: str = "view", **fields: object) -> PageEvent:
    client = fields.pop("client", "2" + "0" * 15)
    common = {"id": f"{number:036}", "site": "haihau", "path": "/", "at": NOON + number, "client": client}
    return PageEvent(**common, kind=kind, **fields)  # type: ignore[arg-type]


def test_visitor_arrives_once_and_is_confirmed_once() -> None:
    """Only an ID that came with a view is confirmed, once; after two windows without it, it arrives again."""
    model = EvidenceModel()
    for number, kind in enumerate(("ping", "view", "ping", "leave", "view")):
        model.add(event(number, kind, visitor="a" * 16), DAY, "/", 1)
    (row,) = model.end_window(1).values()
    assert row[:5] == (2, 1, 1, 2, 1)
    model.add(event(9, visitor="a" * 16), DAY, "/", 3)
    assert model.end_window(3)[EvidenceKey("haihau", 3, NOON // 1000, 0x20000000)].arrivals == 0
    model.add(event(10, visitor="a" * 16), DAY, "/", 6)
    assert model.end_window(6)[EvidenceKey("haihau", 6, NOON // 1000, 0x20000000)].arrivals == 1


def test_groups_with_few_views_share_a_row() -> None:
    """Of 66 groups the two with one view each and the highest hashes are in the row of the others."""
    model = EvidenceModel()
    for number in range(66):
        model.add(event(number, client=f"{number:08x}" + "0" * 8), DAY, "bai-1", 1)
    rows = model.end_window(1)
    assert len(rows) == 65
    assert rows[EvidenceKey("haihau", 1, NOON // 1000, OTHERS)].article_views == 2
    assert model.end_window(2) == {}
