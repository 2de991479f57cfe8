"""The links of a document within its site."""

import pytest

from services.render.crawl.links import file_id, media_name, own_links
from services.render.pages.document import Document

URL = "https://haihau.example"
NAME = f"{'a' * 32}.jpg"


def test_own_links_of_html_are_the_sites_paths() -> None:
    """Absolute and relative links and every candidate of a srcset count; other hosts and services do not."""
    html = (
        f'<a href="{URL}/a.html#x">A</a><a href="/b/?q=1&amp;r=2">B</a><a href="//other.example/c">C</a>'
        '<img src="/media/d.jpg" srcset="/media/d-320.jpg 320w, /media/d-640.jpg 640w"><a href="https://other.example/">'
        '<a href="#top">T</a><script src="/t.js"></script><a href="/stats/haihau">S</a>'
    )
    expected = {"/a.html", "/b/?q=1&r=2", "/media/d.jpg", "/media/d-320.jpg", "/media/d-640.jpg"}
    assert own_links(Document(html.encode()), URL) == expected


def test_own_links_follow_the_address_of_the_site() -> None:
    """A link is of the site for one address and leads elsewhere for another; one that is not UTF-8 is a link, too."""
    html = f'<a href="{URL}/a.html">A</a><a href="/caf'.encode() + b'\xe9">B</a>'
    assert own_links(Document(html), URL) == {"/a.html", "/caf\ufffd"}
    assert own_links(Document(html), "https://other.example") == {"/caf\ufffd"}


def test_own_links_of_xml_are_elements_and_attributes() -> None:
    """Feeds and sitemaps link by elements and by attributes; other documents have no links."""
    xml = f'<loc>{URL}/a.html</loc><link href="{URL}/atom.xml"/><enclosure url="{URL}/media/a.jpg"/><link>{URL}/</link>'
    found = own_links(Document(xml.encode(), "application/xml"), URL)
    assert found == {"/a.html", "/atom.xml", "/media/a.jpg", "/"}
    assert own_links(Document(b'href="/a"', "text/plain"), URL) == set()


@pytest.mark.parametrize(
    ("link", "name"), [(f"/media/{NAME}", NAME), ("/media/../x", None), ("/a.html", None), (f"/media/{NAME}/x", None)]
)
def test_media_name_of_a_link(link: str, name: str | None) -> None:
    """Only a whole name of the media store is one."""
    assert media_name(link) == name


def test_file_id_is_that_of_a_document_of_the_portal() -> None:
    """Links to documents have the id and a name; other paths below /tep/ are pages."""
    found = [
        file_id(link)
        for link in (f"/tep/{'ab' * 16}/van-ban-1.pdf", f"/tep/{'ab' * 16}/", "/tep/", "/tep/x/a.pdf", "/media/a.pdf")
    ]
    assert found == ["ab" * 16, None, None, None, None]


def test_own_links_of_html_include_pictures_of_share_cards_and_metadata() -> None:
    """Pictures that only other sites load are links of the page too; those of other hosts are not."""
    names = [f"/media/{digit * 32}.jpg" for digit in "abcd"]
    html = (
        f'<meta property="og:image" content="{URL}{names[0]}"><script>{{"url": "{URL}{names[1]}"}}</script>'
        f'<meta content="https://elsewhere.example{names[2]}"><p>{names[3]}</p>'
    )
    assert own_links(Document(html.encode()), URL) == set(names[:2])
