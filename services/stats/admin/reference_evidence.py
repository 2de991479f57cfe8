"""Evidence in the reference model: what groups of clients did in each window of arrival, by local hour. Pure."""

from collections import defaultdict
from typing import NamedTuple

from shared.events import PageEvent

GROUPS_MAX = 1_024
KEPT_MAX = 64
OTHERS = -1
NETWORK_BITS = 512


class EvidenceKey(NamedTuple):
    """A group of clients in a local hour, as far as it arrived in a window."""

    site: str
    window_index: int
    hour: int
    agent: int


class EvidenceNumbers(NamedTuple):
    """What it did."""

    views: int
    arrivals: int
    confirmed: int
    pings: int
    leaves: int
    home_views: int
    article_views: int
    direct_views: int
    networks: str
    """As many digits 0 or 1 as the sketch has bits."""


class EvidenceModel:
    """The groups of one partition in the current window."""

    def __init__(self) -> None:
        self._of_hour: defaultdict[tuple[str, int], dict[int, list[tuple[list[bool], int]]]] = defaultdict(dict)
        """(site, hour) → agent → (what counts, bit of the network) of each of its events."""
        self._here: dict[tuple[str, str], tuple[int, bool]] = {}
        """(site, visitor ID) → (window of its last event, whether its page has answered), from its first view on."""

    def add(self, event: PageEvent, day: int, name: str | None, window_seq: int) -> None:
        """Add a counted event that has a client.

        Args:
            event: The event.
            day: Start of its local day, in seconds.
            name: Its article, or the page of a view without one.
            window_seq: Number of the current window.
        """
        arrives, confirms = self._note_visitor(event, window_seq)
        client = event.client or ""
        seconds = event.at // 1000
        agents = self._of_hour[event.site, day + (seconds - day) // 3600 * 3600]
        agent = int(client[:8], 16)
        if agent not in agents and len(agents.keys() - {OTHERS}) >= GROUPS_MAX:
            agent = OTHERS
        is_view = event.kind == "view"
        is_page = name is not None and name.startswith("/")
        counts = [
            is_view,
            arrives,
            confirms,
            event.kind == "ping",
            event.kind == "leave",
            is_view and name == "/",
            is_view and name is not None and not is_page,
            is_view and event.referrer is None,
        ]
        agents.setdefault(agent, []).append((counts, int(client[8:], 16) % NETWORK_BITS))

    def _note_visitor(self, event: PageEvent, window_seq: int) -> tuple[bool, bool]:
        """An ID arrives with a view, and is confirmed by a ping or leave; two windows without it end that."""
        if event.visitor is None:
            return False, False
        key = (event.site, event.visitor.lower())
        seen, has_answered = self._here.get(key, (window_seq - 3, False))
        is_here = seen >= window_seq - 2
        if event.kind == "view":
            self._here[key] = (window_seq, is_here and has_answered)
            return not is_here, False
        if is_here:
            self._here[key] = (window_seq, True)
        return False, is_here and not has_answered

    def end_window(self, window_index: int) -> dict[EvidenceKey, EvidenceNumbers]:
        """Return the rows of the window that ends: the groups with the most views, and the rest."""
        rows = {}
        for (site, hour), agents in self._of_hour.items():

            def rank(agent: int, agents: dict[int, list[tuple[list[bool], int]]] = agents) -> tuple[bool, int, int]:
                return agent == OTHERS, -sum(counts[0] for counts, _ in agents[agent]), agent

            kept = [agent for agent in sorted(agents, key=rank)[:KEPT_MAX] if agent != OTHERS]
            for agent in kept:
                rows[EvidenceKey(site, window_index, hour, agent)] = _numbers(agents[agent])
            rest = [event for agent, events in agents.items() if agent not in kept for event in events]
            if rest:
                rows[EvidenceKey(site, window_index, hour, OTHERS)] = _numbers(rest)
        self._of_hour.clear()
        return rows


def _numbers(events: list[tuple[list[bool], int]]) -> EvidenceNumbers:
    sums = [sum(column) for column in zip(*(counts for counts, _ in events), strict=True)]
    bits = {bit for _, bit in events}
    return EvidenceNumbers(*[*sums, "".join("01"[number in bits] for number in range(NETWORK_BITS))])
