"""Evidence of who is counted: the rows of windows, and the marks of visitor IDs."""

from services.stats.counting.evidence import GROUPS_MAX, KEPT_MAX, OTHERS, EvidenceRow
from services.stats.counting.rules import fold
from services.stats.counting.state import PartitionState
from tests.stats.counting.test_rules import ANN, BOB, MINUTE, NOON, SITES, fold_records, record

PHONE, COMPUTER = "2" + "0" * 15, "3" + "0" * 14 + "7"
LATER = NOON + 30 * MINUTE


def window(*records: tuple[str, dict[str, object]]) -> list[EvidenceRow]:
    """Return the evidence of a window with these events, a second apart."""
    rows = [record(n, kind=kind, at=NOON + 1000 * n, **fields) for n, (kind, fields) in enumerate(records)]
    return fold_records(*rows, record(len(rows), at=LATER)).evidence


def test_window_that_ends_has_a_row_for_each_group() -> None:
    """Views, arrivals, answers and kinds of pages are summed by agent, and networks are bits of a sketch."""
    ann, bob = {"visitor": ANN, "client": PHONE}, {"visitor": BOB, "client": COMPUTER}
    home, phone = window(
        ("view", ann), ("ping", ann), ("leave", ann), ("view", {**ann, "article": "bai-1", "referrer": "zalo.me"}),
        ("view", bob), ("view", {**bob, "path": "/lien-he"}), ("view", {"visitor": ANN}),
    )  # fmt: skip
    assert home[:4] == ("haihau", NOON // 1_800_000, NOON // 1000, 0x20000000)
    assert home[4:12] == (2, 1, 1, 1, 1, 1, 1, 1)
    assert phone[3:12] == (0x30000000, 2, 1, 0, 0, 0, 1, 0, 2)
    assert [int.from_bytes(one.networks) for one in (home, phone)] == [1 << 511, 1 << 504]


def test_leave_before_the_first_view_confirms_nothing() -> None:
    """A page answers after its view; an ID that only pings or leaves is no arrival."""
    one = {"visitor": ANN, "client": PHONE}
    ((*_, views, arrivals, confirmed, pings, leaves, _, _, _, _),) = window(
        ("leave", one), ("ping", one), ("view", one), ("view", one)
    )
    assert (views, arrivals, confirmed, pings, leaves) == (2, 1, 0, 1, 1)


def test_event_without_a_client_or_of_a_bot_is_no_evidence() -> None:
    """What older producers send, what is a bot, and what is a duplicate count as before, and leave no trace here."""
    bot = {"client": PHONE, "bot": "crawler"}
    assert window(("view", {}), ("view", bot)) == []
    twice = {"client": PHONE, "id": "0" * 8 + "-0000-0000-0000-" + "9" * 12}
    (row,) = window(("view", twice), ("view", twice))
    assert row.views == 1


def test_evidence_before_its_first_offset_is_none() -> None:
    """Events that a version without evidence counted are not evidence, when a counter reads them again."""
    state = PartitionState(evidence_from=1)
    records = [record(n, visitor=who, client=PHONE, at=NOON + n) for n, who in enumerate((ANN, BOB))]
    (row,) = fold([*records, record(2, at=LATER)], state, SITES).evidence
    assert (row.views, row.arrivals) == (1, 1)


def test_flood_of_invented_agents_makes_a_bounded_number_of_rows() -> None:
    """Of an hour the groups with the most views have rows, all others share one, and nothing is lost."""
    agents = [f"{number:08x}" + "0" * 8 for number in range(GROUPS_MAX + 500)]
    rows = window(*(("view", {"client": agent, "visitor": None}) for agent in (*agents, *agents[700:710])))
    assert len(rows) == KEPT_MAX + 1
    assert {700, 709} <= {row.agent for row in rows if row.views == 2}
    assert rows[-1].agent == OTHERS
    assert sum(row.views for row in rows) == GROUPS_MAX + 510
