"""What an export leaves for the next one."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from services.render.export.folder import open_folder
from services.render.export.state import STATE, ExportState, KnownPage, everywhere, made_of, read_state, write_state
from shared.site_structure import MenuItem, SiteStructure, StructureIndex
from shared.sites import Site, with_structure
from tests.render.conftest import SITE

URL = "https://haihau.example"
AT = datetime(2026, 11, 29, tzinfo=UTC)


def test_state_of_the_same_things_is_read_again_and_any_other_is_empty(tmp_path: Path) -> None:
    """It comes back as it was written; damaged, or made of other things, it is as after no export."""
    left = ExportState("x", pages={"/": KnownPage("a", "b", "text/html", [0])}, links=["/b"], files={"b": (1, 2)})
    with open_folder(tmp_path) as folder:
        assert read_state(folder, "x") == ExportState("x")
        write_state(folder, left)
        assert read_state(folder, "x") == left
        assert read_state(folder, "y") == ExportState("y")
        (tmp_path / STATE).write_bytes(b"damaged")
        assert read_state(folder, "x") == ExportState("x")


def test_everything_that_all_pages_have_is_in_the_checksum() -> None:
    """Another name, menu, address or option gives another checksum; the same gives the same."""
    menu = {"main": [MenuItem(kind="home", label="Trang nhất")]}
    structure = SiteStructure(site=SITE.slug, version=1, modified_at=AT, menus=menu)
    sites: list[Site] = [
        SITE,
        msgspec.structs.replace(SITE, name="Nam Định"),
        with_structure(SITE, StructureIndex(structure)),
        with_structure(SITE, StructureIndex(msgspec.structs.replace(structure, menus={}))),
    ]
    found = {everywhere(site, url, (option,)) for site in sites for url in (URL, "") for option in (False, True)}
    assert len(found) == 16
    assert everywhere(SITE, URL, (False,)) in found
    assert made_of([("a", 1)]) == made_of([["a", 1]]) != made_of([("a", 2)])
