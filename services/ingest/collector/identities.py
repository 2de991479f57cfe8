"""The identities of clients: visitor, partition, bot or not; those that were seen a moment ago are remembered."""

from datetime import date

from services.ingest.collector.bots import bot_reason
from services.ingest.collector.own_traffic import is_own_traffic
from services.ingest.collector.salts import SaltStore
from services.ingest.collector.visitor_limit import VisitorLimit
from services.ingest.collector.visitors import (
    ClientInfo,
    LocalDays,
    VisitorIdentity,
    derive_client,
    derive_partition_hash,
    derive_visitor_id,
)
from services.ingest.metrics import VISITORS_LIMITED
from shared.events import OWN_TRAFFIC
from shared.http.client_address import Network
from shared.sites import Site

RECENT_CLIENTS_MAX = 10_000
"""About 4 MB."""


class Identities:
    """Identifies the clients of one collector, by one thread at a time.

    Recent clients are known by keyed hashes of 64 bits, which die with the process: no address or user agent is kept.

    Args:
        salts: Must have those of the days that are asked for.
        trusted_proxies: Their addresses are nobody's.
        visitor_limit: The bound on visitors of an address.
    """

    def __init__(
        self, salts: SaltStore, trusted_proxies: tuple[Network, ...] = (), visitor_limit: VisitorLimit | None = None
    ) -> None:
        self._salts = salts
        self._trusted_proxies = trusted_proxies
        self._visitor_limit = visitor_limit or VisitorLimit()
        self._recent: dict[int, VisitorIdentity] = {}
        self._sites: dict[str, Site] = {}
        """As they were configured when the recent clients were identified."""

    def has_salts(self, slug: str, days: LocalDays) -> bool:
        """Return whether clients of a site can be identified on these days."""
        for day in days.all:  # noqa: SIM110 - a generator takes longer, for each event
            if self._salts.salt(slug, day) is None:
                return False
        return True

    def identify(self, site: Site, days: LocalDays, client: ClientInfo) -> VisitorIdentity:
        """Return the identity of a client."""
        if self._sites.get(site.slug) is not site:  # its bots and own addresses may be others
            self._recent.clear()
            self._sites[site.slug] = site
        today = self._salt(site, days.today)
        yesterday = self._salt(site, days.yesterday) if days.yesterday else None
        key = hash((site.slug, today, yesterday, self._salts.partition_secret, client))
        identity = self._recent.get(key)
        if identity is None:
            identity = self._derive(site, days.today, (today, yesterday), client)
            if not identity.is_limited:  # each of its events is counted as such
                if len(self._recent) >= RECENT_CLIENTS_MAX:
                    self._recent.clear()
                self._recent[key] = identity
        return identity

    def _salt(self, site: Site, day: date) -> bytes:
        salt = self._salts.salt(site.slug, day)
        assert salt is not None, "it was fetched before"
        return salt

    def _derive(self, site: Site, day: date, salts: tuple[bytes, bytes | None], client: ClientInfo) -> VisitorIdentity:
        origin = (site.slug, client.address, client.user_agent)
        visitor_id = previous_visitor_id = group = None
        is_limited = False
        bot = bot_reason(client, count_headless=site.count_headless_browsers)
        if bot is None and is_own_traffic(site, client, self._trusted_proxies):
            bot = OWN_TRAFFIC
        if not client.has_gpc and bot != OWN_TRAFFIC:
            today, yesterday = salts
            visitor_id = derive_visitor_id(today, *origin)
            if yesterday is not None:
                previous_visitor_id = derive_visitor_id(yesterday, *origin)
            if not self._visitor_limit.admits(site.slug, day, client.limit_key, visitor_id):
                visitor_id = previous_visitor_id = None
                is_limited = True
                VISITORS_LIMITED.labels(site.slug).inc()
            if not bot:  # bots are classed already
                group = derive_client(today, *origin)
        partition_hash = derive_partition_hash(self._salts.partition_secret, *origin)
        return VisitorIdentity(partition_hash, visitor_id, previous_visitor_id, bot, is_limited, group)
