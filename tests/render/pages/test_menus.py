"""Links of a menu: chosen by the newsroom, or the sections."""

from datetime import UTC, datetime

from services.render.pages.menus import MenuLink, marked_menu, menu_links
from shared.site_structure import MenuItem, PageLink, SiteStructure, StructureIndex, StructureSection, StructureTag
from shared.sites import Section, Site, with_structure

SITE = Site(
    slug="a", name="A", origins=["https://a.vn"], timezone="UTC", sections=[Section("tin", "Tin")], language="en"
)


def test_default_menu_is_home_and_sections() -> None:
    """A site without a menu of its own shows its sections; the footer has no links then."""
    assert menu_links(SITE, "main") == [MenuLink("Home", "/"), MenuLink("Tin", "/tin/", "tin")]
    assert menu_links(SITE, "footer") == []


def test_chosen_menu_has_present_names_and_leaves_out_dead_targets() -> None:
    """Labels win over names, former slugs lead to present ones, and a dead entry takes those below it with it."""
    items = [
        MenuItem(kind="section", target="cu", items=[MenuItem(kind="tag", target="ruong")]),
        MenuItem(kind="page", target="p", label="Về"),
        MenuItem(kind="page", target="gone", items=[MenuItem(kind="home")]),
        MenuItem(kind="section", target="gone"),
        MenuItem(kind="url", target="https://b.vn/", label="B"),
    ]
    structure = SiteStructure(
        site="a",
        version=1,
        modified_at=datetime(2026, 11, 29, tzinfo=UTC),
        sections=[StructureSection(slug="moi", name="Mới", version=1)],
        section_aliases={"cu": "moi"},
        tags=[StructureTag(slug="dat", name="Đất", version=1)],
        tag_aliases={"ruong": "dat"},
        menus={"main": items},
    )
    site = with_structure(SITE, StructureIndex(structure, {"p": PageLink("gioi-thieu", "Giới thiệu")}))
    assert menu_links(site, "main") == [
        MenuLink("Mới", "/moi/", "moi", (MenuLink("Đất", "/tag/dat/"),)),
        MenuLink("Về", "/trang/gioi-thieu.html"),
        MenuLink("B", "https://b.vn/", is_external=True),
    ]


def test_marked_menu_is_made_once_for_each_mark() -> None:
    """Pages that no entry leads to share a menu; each other one has its own mark, also below another entry."""
    calls = []

    def entries(path: str, section: str) -> str:
        calls.append((path, section))
        return f"{path} {section}"

    links = [MenuLink("Tin", "/tin/", "tin", [MenuLink("Xã", "/tin/xa/", "xa")]), MenuLink("Liên hệ", "/trang/lien-he")]
    menu = marked_menu(links, entries)
    asked = [("/a-1.html", "tin"), ("/b-2.html", "tin"), ("/tin/xa/", "xa"), ("/c-3.html", "khac"), ("/d-4.html", "")]
    assert [menu(*one) for one in asked] == [" tin", " tin", "/tin/xa/ xa", " ", " "]
    assert calls == [("", "tin"), ("/tin/xa/", "xa"), ("", "")]
