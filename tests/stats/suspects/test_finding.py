"""Which groups are named: none of people, and fleets of programs, on generated days whose truth is known."""

import pytest

from services.stats.counting.evidence import NETWORK_BITS, OTHERS
from services.stats.suspects.finding import GroupNumbers, estimate_networks, find_suspects
from tests.stats.suspects.scores import score
from tests.stats.suspects.traffic import FLEETS, HOUR, MIDNIGHT, PEOPLE, PUSH, day_of

SMALL, LARGER = 0.12, 0.4
FLEET_PART = 0.2
"""8,000 visitors: of 40,000, five times as many are named within the hour."""
SEEDS = range(10)
"""`python -m tests.bench suspects` has whole days of them."""
PEOPLE_NAMED_MAX = 0.001


@pytest.mark.parametrize("seed", SEEDS)
def test_day_of_people_names_nobody(seed: int) -> None:
    """Readers, a story that spreads, apps, a school, an office, a carrier and browsers without scripts are people."""
    assert score(day_of(seed, PEOPLE, part=LARGER if seed < 2 else SMALL)).suspects == []


def test_readers_at_the_end_of_an_hour_are_not_named() -> None:
    """A message to the phones of an app brings hundreds whose pages answer in the hour after."""
    traffic = day_of(1, [*PEOPLE, PUSH], part=SMALL)
    for until_ms in (None, MIDNIGHT + 10 * HOUR + HOUR * 2 // 3):
        assert score(traffic, until_ms).suspects == []


@pytest.mark.parametrize("seed", SEEDS)
def test_fleet_of_one_agent_is_named_with_almost_nobody_else(seed: int) -> None:
    """At least 95 % of the fleet and at most 0.1 % of people are named on the day, and an hour after it has begun."""
    traffic = day_of(seed, [*PEOPLE, FLEETS[0]], part=FLEET_PART)
    for until_ms in (None, MIDNIGHT + 10 * HOUR):
        found = score(traffic, until_ms)
        assert found.recall >= 0.95
        assert found.people <= PEOPLE_NAMED_MAX
        assert len(found.suspects) == 1


@pytest.mark.parametrize("fleet", FLEETS[1:6], ids=lambda fleet: fleet.kind)
def test_other_fleets_are_named_too(fleet: object) -> None:
    """Fleets that have readers' agents, several agents, an hour or the home page only are named in their hours."""
    found = score(day_of(1, [*PEOPLE, fleet], part=LARGER))  # type: ignore[list-item]
    assert found.recall >= 0.95
    assert found.people <= PEOPLE_NAMED_MAX


def group(agent: int, arrivals: int, confirmed: int, **fields: int) -> list[GroupNumbers]:
    """Return the evidence of a group in one hour, and of its day."""
    networks, views = fields.get("network_bits", NETWORK_BITS), fields.get("views", arrivals)
    later = fields.get("confirmed_after", 0)
    return [
        GroupNumbers(7_200, agent, views, arrivals, confirmed, networks, later),
        GroupNumbers(None, agent, views, arrivals, confirmed + later, networks),
    ]


REST = group(OTHERS, 300, 250, network_bits=0)


@pytest.mark.parametrize(
    ("groups", "named"),
    [
        ([*group(7, 500, 20), *REST], True),
        ([*group(7, 199, 0), *REST], False),  # few
        ([*group(7, 500, 110), *REST], False),  # some answer
        ([*group(7, 500, 20, confirmed_after=81), *REST], False),  # some answer in the hour after
        ([*group(7, 500, 20, confirmed_after=79), *REST], True),
        ([*group(7, 500, 20, network_bits=170), *REST], False),  # a carrier
        ([*group(7, 500, 20, views=560), *REST], False),  # they read
        ([*group(7, 500, 20), *group(OTHERS, 300, 150)], False),  # nobody answers
        ([*group(7, 500, 20), *group(OTHERS, 49, 49)], False),  # nobody to compare with
        (group(OTHERS, 500, 0), False),  # no group
    ],
)
def test_each_condition_is_needed(groups: list[GroupNumbers], named: bool) -> None:
    """A group that is usual in one respect is not named."""
    assert [one.agent for one in find_suspects(groups)] == ([7] if named else [])


def test_suspect_of_hours_has_their_numbers_only() -> None:
    """A group that is suspicious in one hour of a day on which its people answer is named with that hour."""
    people = [GroupNumbers(hour, 7, 900, 900, 850, 90) for hour in (0, 3_600)]
    burst = GroupNumbers(7_200, 7, 1_000, 1_000, 50, NETWORK_BITS)
    day = GroupNumbers(None, 7, 2_800, 2_800, 1_750, NETWORK_BITS)
    rest = [GroupNumbers(hour, OTHERS, 300, 300, 250, 0) for hour in (0, 3_600, 7_200, None)]
    (found,) = find_suspects([*people, burst, day, *rest])
    assert (found.begin, found.end, found.visitors, found.arrivals) == (7_200, 10_800, 950, 1_000)
    assert found.share == 950 / 1_300
    assert (found.name, found.browser, round(found.rest_silent, 3)) == ("00000007", "other", 0.167)


def test_suspect_of_a_day_has_no_hours_of_people_with_its_agent() -> None:
    """A fleet of one hour with the readers' most frequent agent is named with that hour, and not with all of theirs."""
    hours = range(0, 10 * 3_600, 3_600)
    people = [GroupNumbers(hour, 7, 450, 300, 250, 90) for hour in hours if hour not in (7_200, 10_800)]
    fleet = [GroupNumbers(7_200, 7, 7_150, 7_000, 260, 512), GroupNumbers(10_800, 7, 1_150, 1_000, 300, 500)]
    day = GroupNumbers(None, 7, 11_300, 10_400, 1_900, NETWORK_BITS)
    rest = [GroupNumbers(hour, OTHERS, 900, 600, 480, 0) for hour in (*hours, None)]
    (found,) = find_suspects([*people, *fleet, day, *rest])
    assert (found.begin, found.end, found.visitors) == (7_200, 14_400, 6_740 + 700)


def test_networks_are_estimated_from_their_bits() -> None:
    """A few bits are as many networks, and a full sketch is its bound."""
    assert [estimate_networks(bits) for bits in (0, 1, 100, NETWORK_BITS)] == [0, 1, 111, 3_194]
