"""Evidence → suspects: groups of clients that together do what people do not. Pure.

A group is suspect if most of its visitor IDs open a page and send nothing after it, while the pages of everybody else
answer, and if they are many, from many networks, and see little more than one page each. Each of these is usual alone:
a story that spreads has many new visitors of one page, an office has a firewall that stops answers, a school is one
address. Precision comes before recall: who is named wrongly may be taken out of the numbers.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.stats.counting.evidence import NETWORK_BITS, OTHERS
from services.stats.local_calendar import HOUR_SECONDS
from shared.events import CLIENT_CLASSES

SILENT_MIN = 200
"""Visitor IDs without an answer that a suspect group has at least, in an hour or on a day."""
SILENT_SHARE_MIN = 0.8
"""Share of its visitor IDs that do not answer. Of people in an app's own browser up to about half do not."""
REST_MIN = 50
"""Visitor IDs of all other groups: fewer say nothing about what is usual on the site."""
REST_SILENT_SHARE_MAX = 0.4
"""If more of the others do not answer, the site's pages do not: it uses the pixel, or sends its views by a server."""
NETWORKS_SHARE_MIN = 0.8
"""Networks for each silent visitor ID. The customers of a mobile carrier share few, those of a school or office one."""
NETWORKS_ENOUGH = 1_000
"""So many networks are always enough: the sketch cannot tell much larger numbers from each other."""
VIEWS_MAX = 1.1
"""Views for each visitor ID: people who read in an app that never answers see more pages."""
SPAN_SHARE = 0.98
"""Share of what a group has too many of that the span of a suspect has: all hours would take people with its agent."""


class GroupNumbers(NamedTuple):
    """The evidence of one group, summed over partitions and windows."""

    hour: int | None
    """Start of the local hour; None for the whole day."""
    agent: int
    views: int
    arrivals: int
    confirmed: int
    network_bits: int
    """Bits that are set in the sketch of its networks."""
    confirmed_after: int = 0
    """Visitor IDs whose page answered in the hour after: some of them may have come in this one."""

    @property
    def silent(self) -> int:
        """Visitor IDs that came and whose page did not answer."""
        return max(0, self.arrivals - self.confirmed)

    @property
    def is_mostly_silent(self) -> bool:
        """Whether most pages did not answer, also if all answers of the hour after are theirs."""
        return self.silent - self.confirmed_after >= SILENT_SHARE_MIN * max(1, self.arrivals)


class Suspect(NamedTuple):
    """A group that behaves as people do not, in a span of hours of a local day."""

    agent: int
    begin: int
    """Seconds since 1970 UTC."""
    end: int
    visitors: int
    """Its visitor IDs that did not answer."""
    arrivals: int
    """All of its visitor IDs."""
    views: int
    networks: int
    """About so many, NETWORKS_MAX or more at most."""
    site_arrivals: int
    """Visitor IDs of all groups in the same span."""
    rest_silent: float
    """Share of the others whose page did not answer."""

    @property
    def share(self) -> float:
        """Its share of the site's visitor IDs."""
        return self.visitors / self.site_arrivals

    @property
    def name(self) -> str:
        """Its group, as commands show and take it: 8 hex digits."""
        return f"{self.agent:08x}"

    @property
    def browser(self) -> str:
        """The class of its browser: one of `CLIENT_CLASSES`."""
        return CLIENT_CLASSES[number] if (number := self.agent >> 28) < len(CLIENT_CLASSES) else CLIENT_CLASSES[0]


def estimate_networks(bits: int) -> int:
    """Return about how many networks have set so many bits of a sketch (linear counting)."""
    zeros = max(1, NETWORK_BITS - bits)
    return round(-NETWORK_BITS * math.log(zeros / NETWORK_BITS))


NETWORKS_MAX = estimate_networks(NETWORK_BITS)


def find_suspects(groups: Iterable[GroupNumbers]) -> list[Suspect]:
    """Return the suspects of one site and local day, the largest first.

    Args:
        groups: Its evidence, by hour and of the whole day; of small groups only the sums, as those of OTHERS.
    """
    by_hour: defaultdict[int | None, list[GroupNumbers]] = defaultdict(list)
    for group in groups:
        by_hour[group.hour].append(group)
    of_day = _suspicious(by_hour.pop(None, []))
    suspicious = {hour: _suspicious(some) for hour, some in by_hour.items() if hour is not None}
    named = of_day.keys() | {agent for some in suspicious.values() for agent in some}
    found = []
    for agent in named:
        if agent in of_day:
            hours = _hours_of_excess(agent, by_hour, named)
        else:
            hours = sorted(hour for hour, some in suspicious.items() if agent in some)
        if hours:
            span = range(hours[0], hours[-1] + HOUR_SECONDS)
            within = [one for hour, some in by_hour.items() if hour in span for one in some]
            bits = max(one.network_bits for one in [*within, *of_day.values()] if one.agent == agent)
            found.append(_suspect(agent, span, within, bits, named))
    return sorted(found, key=lambda one: (-one.visitors, one.agent))


def _hours_of_excess(
    agent: int, by_hour: Mapping[int | None, Sequence[GroupNumbers]], named: Collection[int]
) -> list[int]:
    """Return the fewest hours in a row in which a group has SPAN_SHARE of its excess, in their order.

    The excess of an hour is how many more of its visitor IDs do not answer than if it were like the others in it.
    People with the agent of a fleet have about none, so that hours in which there are only people are left out.
    """
    excess: dict[int, float] = {}
    for hour, groups in by_hour.items():
        for one in groups:
            if hour is not None and one.agent == agent and one.silent:
                usual = _silent_share([other for other in groups if other.agent not in named])
                excess[hour] = max(0.0, one.silent - usual * one.arrivals)
    hours, wanted = sorted(excess), SPAN_SHARE * sum(excess.values())
    for count in range(1, len(hours) + 1):
        runs = [hours[first : first + count] for first in range(len(hours) - count + 1)]
        most = max(runs, key=lambda run: sum(excess[hour] for hour in run))
        if sum(excess[hour] for hour in most) >= wanted:
            return most
    return hours


def _suspect(
    agent: int, span: range, within: Sequence[GroupNumbers], network_bits: int, named: Collection[int]
) -> Suspect:
    """Return a suspect from the groups of all hours of its span."""
    mine = [one for one in within if one.agent == agent]
    return Suspect(
        agent=agent,
        begin=span.start,
        end=span.stop,
        visitors=sum(one.silent for one in mine),
        arrivals=sum(one.arrivals for one in mine),
        views=sum(one.views for one in mine),
        networks=estimate_networks(network_bits),
        site_arrivals=sum(one.arrivals for one in within),
        rest_silent=_silent_share([one for one in within if one.agent not in named]),
    )


def _suspicious(groups: Sequence[GroupNumbers]) -> dict[int, GroupNumbers]:
    """Return the suspicious ones of the groups of one hour or day, by agent."""
    silent = [one for one in groups if one.agent != OTHERS and one.is_mostly_silent]
    rest = [one for one in groups if one not in silent]
    if sum(one.arrivals for one in rest) < REST_MIN or _silent_share(rest) > REST_SILENT_SHARE_MAX:
        return {}
    return {
        one.agent: one
        for one in silent
        if one.silent >= SILENT_MIN and _is_wide(one) and one.views <= VIEWS_MAX * one.arrivals
    }


def _is_wide(one: GroupNumbers) -> bool:
    return estimate_networks(one.network_bits) >= min(NETWORKS_ENOUGH, NETWORKS_SHARE_MIN * one.silent)


def _silent_share(groups: Sequence[GroupNumbers]) -> float:
    arrivals = sum(one.arrivals for one in groups)
    return sum(one.silent for one in groups) / arrivals if arrivals else 0.0
