"""Layouts of pictures and captions."""

from services.ingest.content.sanitizer import Node
from services.ingest.imports.markup.layout import is_caption_box, linked_texts, without_media


def test_without_media_keeps_texts_in_order() -> None:
    """Pictures come out of nested nodes, in order, and the texts stay."""
    first, second = Node("img", {"src": "1"}), Node("figure", {"src": "2"})
    kept, media = without_media(["a", Node("p", {}, [first, "b"]), second, "c"])
    assert media == [first, second]
    assert Node("div", {}, kept).text == "a b c"


def test_is_caption_box_knows_classes_of_captions() -> None:
    """Boxes of captions are known by their class; the text of one is no box."""
    assert all(map(is_caption_box, ("wp-caption aligncenter", "tplCaption", "x image-caption")))
    assert not any(map(is_caption_box, ("wp-caption-text", "caption", "recaption")))


def test_linked_texts_of_nested_blocks_have_the_link_inside() -> None:
    """A link around blocks is around the texts of each block, and not around pictures."""
    link, image = Node("a", {"href": "/x"}), Node("img", {"src": "1"})
    nodes = list(linked_texts([Node("div", {}, ["a", Node("p", {}, ["b"])]), image], link))
    assert nodes == [
        Node("div", {}, [Node("a", {"href": "/x"}, ["a"]), Node("p", {}, [Node("a", {"href": "/x"}, ["b"])])]),
        image,
    ]
