"""Records of a site that this counter does not know yet are decoded by the newest configuration."""

import json

import pytest

from services.stats.counting.declared_sites import decode_declared
from services.stats.counting.decoding import RawBatch
from shared.sites import Site, Sites

AT = 1_772_600_000_000
OLD = Site(slug="old", name="O", origins=["https://old.vn"], timezone="UTC")
NEW = Site(slug="new", name="N", origins=["https://new.vn"], timezone="UTC")


def records(*sites: str) -> RawBatch:
    events = [
        {"id": f"00000000-0000-4000-8000-{number:012}", "site": site, "kind": "view", "path": "/", "at": AT}
        for number, site in enumerate(sites)
    ]
    return RawBatch.of([(number, AT, json.dumps(event).encode()) for number, event in enumerate(events)])


@pytest.mark.parametrize(
    ("named", "is_declared", "refreshes", "counted"),
    [
        (["old", "old"], True, 0, 2),
        (["old", "new"], True, 1, 2),
        (["old", "new"], False, 1, 1),
        (["new"], True, 1, 1),
    ],
)
async def test_decode_declared_reads_the_configuration_only_for_an_unknown_site(
    named: list[str], is_declared: bool, refreshes: int, counted: int
) -> None:
    """A site that was just declared is counted; without a declaration its records stay refused."""
    sites, asked = Sites(old=OLD), []

    async def refresh() -> bool:
        asked.append(True)
        if is_declared:
            sites.replace(Sites(old=OLD, new=NEW))
        return is_declared

    sites.refresh = refresh
    batch = await decode_declared(records(*named), sites)
    assert (len(asked), len(batch), len(batch.rejections)) == (refreshes, counted, len(named) - counted)
