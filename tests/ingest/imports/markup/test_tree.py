"""Markup of other systems becomes blocks, and each loss a warning."""

from typing import Any

import pytest

from services.ingest.imports.markup.tree import read_blocks
from services.ingest.imports.warnings import ItemWarning
from shared.articles import BulletList, Embed, Figure, Heading, Image, Paragraph, Quote, Table

BASE = "https://cu.example/2024/bai/"


def read(html: str, base: str = BASE) -> tuple[list[Any], list[str]]:
    """Return the blocks and the kinds of the warnings."""
    warnings: list[ItemWarning] = []
    return read_blocks(html, base, warnings), [one.kind for one in warnings]


def picture(name: str, alt: str = "") -> Image:
    return Image(f"https://cu.example/{name}", alt)


GALLERY = (
    '<figure class="wp-block-gallery">{0}<figure><img src="/a.jpg"><figcaption>A</figcaption></figure>{1}'
    '{0}<figure><img src="/b.jpg"><figcaption>B</figcaption></figure>{1}<figcaption>Cả bộ</figcaption></figure>'
)


@pytest.mark.parametrize("html", [GALLERY.format("", ""), GALLERY.format("<ul><li>", "</li></ul>")])
def test_read_blocks_of_gallery_keep_each_picture_with_its_caption(html: str) -> None:
    """Each picture of a gallery has its own caption; that of the gallery is a paragraph."""
    blocks, warnings = read(html)
    assert blocks == [Figure("A", picture("a.jpg")), Figure("B", picture("b.jpg")), Paragraph("Cả bộ")]
    assert warnings == []


@pytest.mark.parametrize(
    "html",
    [
        '<table class="tplCaption"><tr><td><img src="/a.jpg"></td></tr><tr><td>Tàu về bến</td></tr></table>',
        '<div class="wp-caption"><a href="/a.jpg"><img src="/a.jpg"></a><p class="x">Tàu về bến</p></div>',
        '<p style="text-align: center;"><img src="/a.jpg"><br><em>Tàu về bến</em></p>',
        '<div align="center"><a href="/a-lon.jpg"><img src="/a.jpg"></a><br>Tàu về bến</div>',
        '<figure><picture><source srcset="/a.webp"><img src="/a.jpg"></picture><figcaption>Tàu về bến</figure>',
    ],
)
def test_read_blocks_caption_of_any_layout_belongs_to_its_picture(html: str) -> None:
    """The captions that editors write in tables, boxes and centred lines are captions."""
    blocks, _ = read(html)
    image = blocks[0].image
    assert (blocks[0].caption, image.url, len(blocks)) == ("Tàu về bến", "https://cu.example/a.jpg", 1)


def test_read_blocks_table_of_pictures_pairs_them_with_their_captions() -> None:
    """Two pictures in a row with their captions below are two figures; a table with text keeps its text."""
    blocks, _ = read(
        '<table><tr><td><img src="/a.jpg"></td><td><img src="/b.jpg"></td></tr><tr><td>A</td><td>B</td></tr></table>'
    )
    assert blocks == [Figure("A", picture("a.jpg")), Figure("B", picture("b.jpg"))]
    blocks, _ = read(
        '<table><tr><th>Xã</th><th>Ảnh</th></tr><tr><td>Hải Hậu</td><td><img src="/a.jpg"></td></tr></table>'
    )
    assert blocks[0] == Figure("", picture("a.jpg"))
    assert isinstance(blocks[1], Table)
    assert blocks[1].rows[1][0].html == "Hải Hậu"


@pytest.mark.parametrize("outer", ["<ul><li>{}</li></ul>", "<blockquote>{}</blockquote>", "<h2>{}</h2>", "<li>{}</li>"])
def test_read_blocks_picture_inside_of_a_block_stands_after_it(outer: str) -> None:
    """Lists, quotes and headings have no pictures: theirs follow them."""
    blocks, _ = read(outer.format('Chữ <img src="/a.jpg" alt="A">'))
    assert isinstance(blocks[0], BulletList | Quote | Heading | Paragraph)
    assert blocks[-1] == Figure("", picture("a.jpg", "A"))


@pytest.mark.parametrize(
    "image",
    [
        '<img src="data:image/gif;base64,R0" data-src="/a.jpg">',
        '<img data-original="/a.jpg">',
        '<img src="/images/loading.gif" data-lazy-src="/a.jpg">',
        '<img srcset="/nho.jpg 300w, /a.jpg 1200w">',
        '<img src="/spacer.gif" data-srcset="/nho.jpg 1x, /a.jpg 2x">',
        '<noscript><img src="/a.jpg"></noscript>',
        '<img src="data:image/gif;base64,R0" data-src="/a.jpg"><noscript><img src="/a.jpg"></noscript>',
        '<noscript><img src="/a.jpg"></noscript><img src="data:image/gif;base64,R0" data-src="/a.jpg">',
    ],
)
def test_read_blocks_late_picture_is_carried_over_once(image: str) -> None:
    """A picture that a script loads is the picture, and once, though browsers without scripts have it as well."""
    assert read(f"<p>Trước.</p>{image}") == ([Paragraph("Trước."), Figure("", picture("a.jpg"))], [])


@pytest.mark.parametrize(
    ("html", "identity"),
    [
        ('<iframe src="//www.youtube.com/embed/dQw4w9WgXcQ?feature=oembed"></iframe>', "dQw4w9WgXcQ"),
        (
            '<iframe data-src="https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ" src="about:blank"></iframe>',
            "dQw4w9WgXcQ",
        ),
        (
            '<figure class="wp-block-embed"><div class="wp-block-embed__wrapper">https://youtu.be/dQw4w9WgXcQ</div></figure>',
            "dQw4w9WgXcQ",
        ),
        ("<p>https://m.youtube.com/watch?app=desktop&amp;v=dQw4w9WgXcQ</p>", "dQw4w9WgXcQ"),
        ('<object><param name="movie" value="http://www.youtube.com/v/dQw4w9WgXcQ&hl=vi"></object>', "dQw4w9WgXcQ"),
        ('<embed src="http://www.youtube.com/v/dQw4w9WgXcQ">', "dQw4w9WgXcQ"),
        ('<iframe src="https://player.vimeo.com/video/76979871?h=1"></iframe>', "76979871"),
        ("<p>https://www.youtube.com/shorts/dQw4w9WgXcQ</p>", "dQw4w9WgXcQ"),
    ],
)
def test_read_blocks_video_of_any_form_is_an_embed(html: str, identity: str) -> None:
    """A video of a platform that articles know is an embed, however a page has it."""
    blocks, warnings = read(html)
    assert [(type(one), one.id) for one in blocks] == [(Embed, identity)]
    assert warnings == []


@pytest.mark.parametrize(
    ("html", "url", "kind"),
    [
        (
            '<iframe src="https://www.google.com/maps/embed?pb=1"></iframe>',
            "https://www.google.com/maps/embed?pb=1",
            "embed",
        ),
        (
            '<iframe src="https://www.facebook.com/plugins/video.php?href=https%3A%2F%2Ffb.example%2F1"></iframe>',
            "https://fb.example/1",
            "embed",
        ),
        ('<video src="/v.mp4"></video>', "https://cu.example/v.mp4", "embed"),
        ('<audio><source src="a.mp3"></audio>', "https://cu.example/2024/bai/a.mp3", "embed"),
        ('<object data="/k.pdf" type="application/pdf"></object>', "https://cu.example/k.pdf", "file"),
        (
            '<blockquote class="instagram-media" data-instgrm-permalink="https://ig.example/p/1"></blockquote>',
            "https://ig.example/p/1",
            "embed",
        ),
    ],
)
def test_read_blocks_other_media_become_links(html: str, url: str, kind: str) -> None:
    """What articles cannot embed is a link to it, with a warning."""
    blocks, warnings = read(html)
    assert f'<a href="{url}">' in blocks[-1].html
    assert warnings == [kind]


def test_read_blocks_link_around_blocks_is_in_each_of_them() -> None:
    """A link around blocks is one inside of each; of a picture, only its link is lost, with a warning."""
    blocks, warnings = read('<a href="/x"><div>Tựa</div><div>Mô tả</div></a>')
    assert blocks == [
        Paragraph('<a href="https://cu.example/x">Tựa</a>'),
        Paragraph('<a href="https://cu.example/x">Mô tả</a>'),
    ]
    assert warnings == []
    assert read('<a href="/x"><img src="/a.jpg"></a>') == ([Figure("", picture("a.jpg"))], ["link"])
    assert read('<a href="/a-lon.jpg"><img src="/a.jpg"></a>') == ([Figure("", picture("a.jpg"))], [])


def test_read_blocks_relative_addresses_are_resolved_or_reported() -> None:
    """Addresses are resolved against that of the page; without it, they are lost with a warning."""
    html = '<p><a href="khac.html">x</a> <a href="/tep ke hoach.pdf">y</a></p><img src="../a.jpg" alt="A">'
    blocks, warnings = read(html)
    assert blocks[0].html == (
        '<a href="https://cu.example/2024/bai/khac.html">x</a> <a href="https://cu.example/tep%20ke%20hoach.pdf">y</a>'
    )
    assert (blocks[1].image.url, warnings) == ("https://cu.example/2024/a.jpg", [])
    blocks, warnings = read(html, "")
    assert blocks == [Paragraph('x <a href="/tep%20ke%20hoach.pdf">y</a>'), Figure("A")]
    assert warnings == ["link", "image"]
    assert read('<a href="javascript:alert(1)">x</a>')[1] == ["link"]


@pytest.mark.parametrize(
    "tag", ["address", "center", "fieldset", "details", "aside", "nav", "footer", "hgroup", "legend"]
)
def test_read_blocks_words_of_block_tags_are_not_glued(tag: str) -> None:
    """Tags that articles do not have separate the words that they separated for readers."""
    blocks, _ = read(f"<{tag}>một</{tag}><{tag}>hai</{tag}>")
    assert blocks == [Paragraph("một"), Paragraph("hai")]


def test_read_blocks_data_picture_is_reported_and_its_text_kept() -> None:
    """A picture inside of the text does not count for its size, and leaves its alternative text."""
    data = "A" * 400_000
    blocks, warnings = read(f'<p>Trước.</p><img src="data:image/png;base64,{data}" alt="Sơ đồ"><p>Sau.</p>')
    assert blocks == [Paragraph("Trước."), Figure("Sơ đồ"), Paragraph("Sau.")]
    assert warnings == ["image"]


@pytest.mark.parametrize(
    ("html", "kind"),
    [("<script>x()</script>", "embed"), ("<svg><text>x</text></svg>", "image"), ("<select><option>x</select>", "text")],
)
def test_read_blocks_removed_elements_are_reported(html: str, kind: str) -> None:
    """Scripts, drawings and forms are removed, with a warning."""
    assert read(f"<p>Chữ.</p>{html}") == ([Paragraph("Chữ.")], [kind])


def test_read_blocks_bookmark_card_keeps_link_and_description() -> None:
    """A card with another page is a link with its title, and its description."""
    blocks, _ = read(
        '<figure class="kg-bookmark-card"><a href="https://vi-du.example/"><div class="kg-bookmark-title">Tựa</div>'
        '<div class="kg-bookmark-description">Mô tả</div><img src="/t.jpg"></a></figure>'
    )
    assert blocks == [Paragraph('<a href="https://vi-du.example/">Tựa</a>'), Paragraph("Mô tả")]


def test_read_blocks_tracking_pixel_and_emoji_are_no_pictures() -> None:
    """A pixel that counts is nothing, and a smiley is its character."""
    html = '<p>Vui <img class="emoji" src="/e.svg" alt="😀"><img src="https://dem.example/p" width="1" height="1"></p>'
    assert read(html) == ([Paragraph("Vui 😀")], [])
