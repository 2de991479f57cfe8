"""The sites of a process follow the structures that its service has stored."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.site_structure import SiteStructure, StructureSection
from shared.sites import Section, Site, Sites
from shared.structure_watch import StructureWatch

AT = datetime(2026, 11, 29, tzinfo=UTC)


class Pool:
    """Two queries of a table in memory."""

    def __init__(self) -> None:
        self.stored: dict[str, SiteStructure] = {}
        self.contents_read = 0

    async def fetch(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        if query == "versions":
            return [{"site": site, "version": one.version} for site, one in self.stored.items()]
        self.contents_read += 1
        return [{"content": msgspec.json.encode(self.stored[site])} for site in arguments[0]]


def structure(site: str, version: int, *slugs: str) -> SiteStructure:
    sections = [StructureSection(slug=one, name=one, version=1) for one in slugs]
    return SiteStructure(site=site, version=version, modified_at=AT, sections=sections)


def site(slug: str) -> Site:
    return Site(slug=slug, name=slug, origins=[f"https://{slug}.vn"], timezone="UTC", sections=[Section("cu", "Cũ")])


async def test_refresh_takes_over_what_is_newer() -> None:
    """Sites get their own structure, others stay the same objects, and nothing is read without a change."""
    pool, sites = Pool(), Sites(a=site("a"), b=site("b"))
    watch = StructureWatch(pool, sites, "versions", "contents")  # type: ignore[arg-type]
    changes = []
    sites.on_change(lambda: changes.append([one.slug for one in sites["a"].sections]))
    await watch.refresh()
    assert (changes, pool.contents_read) == ([], 0)
    other = sites["b"]
    pool.stored["a"] = structure("a", 1, "moi")
    pool.stored["unknown"] = structure("unknown", 1)
    await watch.refresh()
    await watch.refresh()
    assert (changes, pool.contents_read) == ([["moi"]], 1)
    assert sites["b"] is other
    assert sites["a"].section("cu") is None


async def test_changed_configuration_keeps_the_structure() -> None:
    """A reload of the file changes other keys of a site; its sections stay those of the newsroom."""
    pool, sites = Pool(), Sites(a=site("a"))
    pool.stored["a"] = structure("a", 1, "moi")
    await StructureWatch(pool, sites, "versions", "contents").refresh()  # type: ignore[arg-type]
    sites.replace(Sites(a=msgspec.structs.replace(site("a"), name="Tên mới")))
    assert (sites["a"].name, [one.slug for one in sites["a"].sections]) == ("Tên mới", ["moi"])
    assert [one.slug for one in sites.declared["a"].sections] == ["cu"]
