"""Files that items of feeds enclose."""

from lxml import etree

from services.ingest.imports.readers.enclosures import EnclosedFile, enclosed, linked_files
from services.ingest.imports.warnings import ItemWarning
from shared.articles import Paragraph

MEDIA = 'xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'


def item(content: str) -> tuple[str, list[str]]:
    pictures, files = enclosed(etree.fromstring(f"<item {MEDIA}>{content}</item>"))
    return (pictures[0].url if pictures else ""), [one.url for one in files]


def test_enclosed_picture_is_chosen_by_type() -> None:
    """A film or a sound is never the picture; groups, thumbnails and podcasts have one as well."""
    film = '<media:content url="/p.mp4" type="video/mp4"/>'
    assert item(f'{film}<media:thumbnail url="/a.jpg"/>') == ("/a.jpg", ["/p.mp4"])
    assert item('<media:group><media:content url="/n.jpg" medium="image"/></media:group>') == ("/n.jpg", [])
    assert item('<enclosure url="/a.mp3" type="audio/mpeg"/><enclosure url="/b.jpg" type="image/jpeg"/>') == (
        "/b.jpg",
        ["/a.mp3"],
    )
    assert item('<enclosure url="/b.jpg"/>') == ("/b.jpg", [])
    assert item('<itunes:image href="/c.jpg"/>') == ("/c.jpg", [])
    assert item("<media:content/>") == ("", [])


def test_linked_files_are_reported() -> None:
    """Each file is a link once, with a warning; an address that pages cannot have is lost with a warning."""
    warnings: list[ItemWarning] = []
    files = [EnclosedFile("/a.mp3"), EnclosedFile("/a.mp3"), EnclosedFile("javascript:x")]
    assert linked_files(files, "https://cu.example/", warnings) == [
        Paragraph('<a href="https://cu.example/a.mp3">a.mp3</a>')
    ]
    assert [one.kind for one in warnings] == ["file", "file"]


def test_enclosed_pictures_are_all_of_an_item_each_in_its_widest_form() -> None:
    """A group is one picture in several sizes; others beside it are pictures of their own, with their captions."""
    content = (
        '<media:group><media:content url="/s.jpg" width="100" type="image/jpeg"/>'
        '<media:content url="/l.jpg" width="900" type="image/jpeg"><media:description>Hội làng</media:description>'
        "<media:credit>TTXVN</media:credit></media:content></media:group>"
        '<media:content url="/2.jpg?w=100" width="100" medium="image"/>'
        '<media:content url="/2.jpg?w=500" width="500" medium="image"/>'
    )
    pictures, files = enclosed(etree.fromstring(f"<item {MEDIA}>{content}</item>"))
    assert [(one.url, one.caption, one.credit) for one in pictures] == [
        ("/l.jpg", "Hội làng", "TTXVN"),
        ("/2.jpg?w=500", "", ""),
    ]
    assert files == []


def test_enclosed_picture_may_be_a_plain_element() -> None:
    """Portals of the region name the picture of an item in an element without a namespace."""
    for element in ("<image>/a.jpg</image>", "<image><url>/a.jpg</url></image>", "<thumb>/a.jpg</thumb>"):
        assert item(element) == ("/a.jpg", [])


def test_enclosed_texts_beside_a_picture_are_those_of_the_picture() -> None:
    """Caption and credit of an item hold for its pictures, unless these have their own."""
    texts = "<media:description>Chợ</media:description><media:credit>Tâm</media:credit>"
    content = f'<media:group><media:content url="/a.jpg" medium="image"/></media:group>{texts}'
    ((picture,), _) = enclosed(etree.fromstring(f"<item {MEDIA}>{content}</item>"))
    assert (picture.caption, picture.credit) == ("Chợ", "Tâm")
