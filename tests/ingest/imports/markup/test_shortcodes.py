"""WordPress's shortcodes."""

import pytest

from services.ingest.imports.markup.autop import add_paragraphs
from services.ingest.imports.markup.shortcodes import Attachment, Shortcodes
from services.ingest.imports.markup.tree import read_blocks
from services.ingest.imports.warnings import ItemWarning
from shared.articles import Embed, Figure, Image, Paragraph

URL = "https://cu.example/a.jpg"
IMAGE = f'<img src="{URL}" alt="Chợ" />'
ATTACHMENTS = {
    "7": Attachment(URL, "Chú thích", "Chợ", "1"),
    "8": Attachment("https://cu.example/b.jpg", parent="1"),
    "9": Attachment("https://cu.example/k.pdf", "Kế hoạch", parent="2"),
}


def read(text: str) -> tuple[list[object], list[str]]:
    warnings: list[ItemWarning] = []
    html = add_paragraphs(Shortcodes(ATTACHMENTS, "1", warnings).replace(text))
    return list(read_blocks(html, "", warnings)), [one.kind for one in warnings]


@pytest.mark.parametrize(
    "text",
    [
        f'[caption id="a" width="600"]<a href="https://cu.example/lon.jpg">{IMAGE}</a> Chợ <b>mới</b>[/caption]',
        f'[wp_caption align="x" caption="Chợ mới"]{IMAGE}[/wp_caption]',
    ],
)
def test_replace_caption_is_that_of_the_picture(text: str) -> None:
    """Both forms of a caption become that of the picture; text around is not affected."""
    assert read(f"Trước.\n\n{text}\n\nSau.") == (
        [Paragraph("Trước."), Figure("Chợ mới", Image(URL, "Chợ")), Paragraph("Sau.")],
        [],
    )


def test_replace_gallery_has_the_pictures_of_the_export() -> None:
    """A gallery is its pictures with their captions, by their IDs or of the post; missing ones are reported."""
    first, second = Figure("Chú thích", Image(URL, "Chợ")), Figure("", Image("https://cu.example/b.jpg", ""))
    assert read('[gallery ids="8,7"]') == ([second, first], [])
    assert read("[gallery]") == ([first, second], [])
    assert read('[gallery ids="7,99"]') == ([first], ["image"])


@pytest.mark.parametrize(
    "text",
    [
        "[embed]https://youtu.be/dQw4w9WgXcQ[/embed]",
        '[embed width="600"]https://www.youtube.com/watch?v=dQw4w9WgXcQ[/embed]',
        "[youtube]https://youtu.be/dQw4w9WgXcQ[/youtube]",
        '[youtube id="dQw4w9WgXcQ"]',
        "[youtube=https://www.youtube.com/watch?v=dQw4w9WgXcQ&w=640]",
        "https://youtu.be/dQw4w9WgXcQ",
    ],
)
def test_replace_video_is_an_embed(text: str) -> None:
    """All forms of a video, also its bare address on a line, are an embed."""
    assert read(f"Trước.\n\n{text}") == ([Paragraph("Trước."), Embed("youtube", "dQw4w9WgXcQ")], [])


def test_replace_recordings_are_links() -> None:
    """Videos and sound of the old site are links with a warning."""
    assert read('[video mp4="https://cu.example/v.mp4"][/video]') == (
        [Paragraph('<a href="https://cu.example/v.mp4">v.mp4</a>')],
        ["embed"],
    )
    assert read('[audio src="https://cu.example/a.mp3"]')[0] == [
        Paragraph('<a href="https://cu.example/a.mp3">a.mp3</a>')
    ]


@pytest.mark.parametrize("text", ["[1]", "[sic]", "[Ảnh: Lan]", "[...]", "a[b[0]] > 3", "[18/3]", "[A, B]"])
def test_replace_text_in_brackets_is_kept(text: str) -> None:
    """Brackets in a text are text."""
    found, warnings = read(text)
    assert [one.html.replace("&gt;", ">") for one in found] == [text]  # type: ignore[attr-defined]
    assert warnings == []


def test_replace_unknown_shortcode_leaves_its_text_and_a_warning() -> None:
    """Unknown shortcodes never reach readers; the text inside is kept; escaped ones are text."""
    assert read('[su_box title="x"]Bên trong [b]đậm[/b][/su_box]') == ([Paragraph("Bên trong đậm")], ["shortcode"] * 2)
    assert read('[contact-form-7 id="5" title="Liên hệ"]') == ([], ["shortcode"])
    assert read("[[gallery]]") == ([Paragraph("[gallery]")], [])
    assert read("[toc]Chữ") == ([Paragraph("Chữ")], [])
