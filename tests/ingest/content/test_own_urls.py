"""Addresses that people copy from the pages of their site."""

from collections.abc import Callable

import msgspec
import pytest

from services.ingest.content.own_urls import link_warnings, own_paths, with_own_paths
from shared.articles import Article, BulletList, Cell, Figure, File, Image, Item, Paragraph, Quote, Table
from shared.sites import Site

ID = "ab" * 16
PATH = f"/tep/{ID}/nghi-quyet.pdf"
NewArticle = Callable[..., Article]


def test_own_paths_are_those_of_the_libraries(site: Site, new_article: NewArticle) -> None:
    """An image or file with an address of its site, the former ones included, has the path by which it is found."""
    site = msgspec.structs.replace(site, origins=["https://haihau.example", "http://cu.example:8080"])
    figure = Figure("c", Image("https://haihau.example/media/a.jpg", "a"))
    body = [File(f"{origin}{PATH}", "Nghị quyết") for origin in site.origins]
    found = with_own_paths(new_article(body=[*body, Figure("trống")], lead_image=figure), site)
    assert found.body == [File(PATH, "Nghị quyết"), File(PATH, "Nghị quyết"), Figure("trống")]
    assert found.lead_image == Figure("c", Image("/media/a.jpg", "a"))


@pytest.mark.parametrize(
    "url",
    [
        "https://haihau.example.evil.example/tep/x/a.pdf",
        "https://khac.example" + PATH,
        "https://haihau.example/api/files",
        PATH,
    ],
)
def test_own_paths_leave_other_addresses(site: Site, url: str) -> None:
    """What is elsewhere, or no image or file, stays as it was sent."""
    block = File(url, "Tệp")
    assert own_paths([block], msgspec.structs.replace(site, origins=["https://haihau.example"])) == [block]


def test_link_warnings_count_files_that_no_block_offers(site: Site, new_article: NewArticle) -> None:
    """Each file that is only linked is counted once, by any address of its site; those that a block offers are not."""
    url, former, other = "https://haihau.example", "http://cu.example:8080", "cd" * 16
    site = msgspec.structs.replace(site, origins=[url, former])
    links = [
        Paragraph(f'<a href="{PATH}">a</a> <a href="{url}{PATH}" title="x">b</a>'),
        BulletList([Item("", [Item(f'<a href="{former}/tep/{other}/x.pdf">c</a>')])]),
        Table([[Cell(f'<a href="https://khac.example/tep/{"0" * 32}/x.pdf">d</a>')]]),
        Quote(["/tep/" + "1" * 32 + "/x.pdf"]),
    ]
    (warning,) = link_warnings(new_article(body=links), site)
    assert (warning.code, warning.values) == ("file_link_alone", {"count": 2})
    offered = [File(PATH, "a", ID), File(f"/tep/{other}/x.pdf", "c", other)]
    assert link_warnings(new_article(body=[*links, *offered]), site) == []
