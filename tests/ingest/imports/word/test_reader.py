"""Word documents as articles: structure, pictures, notes, what is lost, and hostile documents."""

import pytest

from services.ingest.imports.item import ImportItem, UnreadableItem
from services.ingest.imports.word.conversion import IMAGE_PREFIX
from services.ingest.imports.word.reader import read_docx
from shared.articles import BulletList, Figure, Heading, Item, Paragraph, Quote, Table
from tests.ingest.files.samples import link
from tests.ingest.imports.word.documents import (
    HOSTILE,
    NAMES,
    bold,
    cell,
    drawing,
    footnotes,
    p,
    png,
    run,
    table,
    word,
)


def read(content: bytes, name: str = "bai-viet.docx") -> ImportItem:
    (item,) = read_docx(content, name)
    assert isinstance(item, ImportItem), item
    return item


def messages(item: ImportItem) -> list[str]:
    return [one.message for one in item.warnings]


def test_document_with_styles_becomes_an_article() -> None:
    """Title, bold lead, headings, nested lists, quotes and formatted text are what they are in the document."""
    mixed = run("Chợ ") + run("Cồn", "<w:b/>") + run(" họp", "<w:i/>") + run("2", '<w:vertAlign w:val="superscript"/>')
    item = read(
        word(
            p("Chợ Cồn mở lại", "Title"),
            bold("Sáng 4/3, chợ phiên mở lại."),
            p(content=mixed),
            p("Mục một", "heading 2"),
            p("Một", level=0),
            p("Một một", level=1),
            p("Hai", level=0),
            p("Lời người xưa", "Quote"),
        )
    )
    assert (item.title, item.lead) == ("Chợ Cồn mở lại", "Sáng 4/3, chợ phiên mở lại.")
    assert item.body == [
        Paragraph("Chợ <strong>Cồn</strong><em> họp</em><sup>2</sup>"),
        Heading("Mục một", 2),
        BulletList([Item("Một", [Item("Một một")], ordered=True), Item("Hai")]),
        Quote(["Lời người xưa"]),
    ]
    assert messages(item) == []
    assert (item.is_new, item.published_at) == (True, None)


def test_title_is_the_heading_the_bold_line_the_properties_or_the_first_words() -> None:
    """Each way in which people write a title is understood; the title that a program wrote is not taken."""
    properties = "<x><dc:title xmlns:dc='d'>Tựa trong thuộc tính</dc:title></x>"
    cases = [
        (word(p("Tựa", "heading 1"), p("Thân")), "Tựa", 1),
        (word(bold("Tựa đậm"), p("Thân")), "Tựa đậm", 1),
        (word(p("Thân bài."), core=properties), "Thân bài.", 1),
        (word(bold("đậm " * 80), p("Thân")), ("đậm " * 80)[:80].rsplit(" ", 1)[0] + " …", 2),
    ]
    for content, title, blocks in cases:
        item = read(content)
        assert (item.title, len(item.body)) == (title, blocks), item


def test_table_keeps_merged_cells() -> None:
    """Cells that are merged across or down are one cell with its spans."""
    content = word(
        p("Bảng", "Title"),
        table(
            cell("A", '<w:gridSpan w:val="2"/>'),
            cell("B", '<w:vMerge w:val="restart"/>') + cell("C"),
            cell("", "<w:vMerge/>") + cell("D"),
        ),
    )
    (found,) = read(content).body
    assert isinstance(found, Table)
    spans = [[(one.html, one.colspan, one.rowspan) for one in row] for row in found.rows]
    assert spans == [[("A", 2, 1)], [("B", 1, 2), ("C", 1, 1)], [("D", 1, 1)]]


def test_pictures_come_out_of_the_document_with_alt_text_and_caption() -> None:
    """Each picture is there once, with its alternative text, and the caption that its style marks."""
    content = word(
        p("Ảnh", "Title"),
        p(content=drawing("rImg1")),
        p("Cổng chợ sáng nay", "Caption"),
        p("Giữa hai ảnh", content=drawing("rImg1", "Lần hai")),
        pictures={"rImg1": png()},
    )
    item = read(content)
    assert list(item.embedded.values()) == [png()]
    (url,) = item.embedded
    figures = [one for one in item.body if isinstance(one, Figure)]
    assert [(one.caption, one.image and one.image.alt, one.image and one.image.url) for one in figures] == [
        ("Cổng chợ sáng nay", "Cổng chợ", url),
        ("Lần hai", "Lần hai", url),
    ]
    assert url.startswith(IMAGE_PREFIX)


def test_pictures_that_articles_cannot_have_are_reported() -> None:
    """Metafiles, linked pictures and missing ones are left out with a warning; nothing is fetched."""
    content = word(
        p("Ảnh", "Title"),
        p("x", content=drawing("rImg1") + drawing("r9", attribute="link") + drawing("rImg2")),
        pictures={"rImg1": b"\x01\x00\x00\x00 EMF", "rImg2": b"<svg onload=alert(1)>"},
        links=link("image", "http://127.0.0.1:1/secret.png"),
    )
    item = read(content)
    assert (item.embedded, [one for one in item.body if isinstance(one, Figure)]) == ({}, [])
    text = "\n".join(messages(item))
    assert "not a known image type" in text
    assert "is SVG" in text
    assert "linked or missing" in text


def test_footnotes_become_numbers_and_a_list() -> None:
    """A note is a number in the text and an item at its end, without links into the page."""
    reference = '<w:r><w:footnoteReference w:id="1"/></w:r>'
    item = read(word(p("Tựa", "Title"), p("Có chú thích", content=reference), footnotes=footnotes("Theo Báo Nam Định")))
    assert item.body == [
        Paragraph("Có chú thích<sup>[1]</sup>"),
        BulletList([Item("Theo Báo Nam Định")], ordered=True),
    ]


def test_text_in_fonts_of_before_unicode_is_converted_by_its_font() -> None:
    """Runs in .VnTime and VNI fonts become Unicode, .VnTimeH in capitals, and text in other fonts stays."""
    content = word(
        p("Tựa", "Title"),
        p(content=run("Céng hßa x· héi", '<w:rFonts w:ascii=".VnTime"/>') + run(" và Nghị quyết")),
        p(content=run("Céng hßa", '<w:rFonts w:ascii=".VnTimeH"/>')),
        p(content=run("Coäng hoøa", '<w:rFonts w:ascii="VNI-Times"/>')),
    )
    item = read(content)
    assert item.body == [Paragraph("Cộng hòa xã hội và Nghị quyết"), Paragraph("CỘNG HÒA"), Paragraph("Cộng hòa")]
    assert [one.kind for one in item.warnings] == ["encoding", "encoding"]


def test_document_in_an_old_font_without_its_name_is_recognised() -> None:
    """Where the font is that of a style, the text itself shows the encoding."""
    text = "Céng hßa x· héi chñ nghÜa ViÖt Nam. §éc lËp, tù do, h¹nh phóc. Chî phiªn më l¹i s¸ng nay."
    item = read(word(p("Tua", "Title"), p(text)))
    assert "Cộng hòa xã hội chủ nghĩa Việt Nam" in str(item.body)


def test_what_is_lost_is_reported() -> None:
    """Comments, tracked changes, text boxes, equations, unknown styles and objects are named, each once."""
    inside = f"<w:txbxContent>{p('Trong khung')}</w:txbxContent>"
    box = f"<w:r><w:pict><v:shape><v:textbox>{inside}</v:textbox></v:shape></w:pict></w:r>"
    deleted = '<w:del w:id="1"><w:r><w:delText>cũ</w:delText></w:r></w:del>'
    inserted = '<w:ins w:id="2"><w:r><w:t> mới</w:t></w:r></w:ins>'
    comment = '<w:r><w:commentReference w:id="1"/></w:r>'
    notes = f'<w:comments {NAMES}><w:comment w:id="1" w:author="A">{p("Bí mật nội bộ")}</w:comment></w:comments>'
    item = read(
        word(
            p("Tựa", "Title"),
            p("Câu", content=deleted + inserted + comment + "<m:oMath><m:r/></m:oMath>"),
            p("Neo", content=box),
            p("Kiểu lạ", "Văn bản riêng"),
            comments=notes,
        )
    )
    assert [one.html for one in item.body if isinstance(one, Paragraph)] == ["Câu mới", "Neo", "Trong khung", "Kiểu lạ"]
    text = "\n".join(messages(item))
    for part in (
        "1 comments",
        "1 tracked deletions",
        "1 tracked insertions",
        "1 text boxes",
        "1 equations",
        "Văn bản riêng",
    ):
        assert part in text, (part, text)
    assert "Bí mật" not in str(item)
    assert "cũ" not in str(item.body)


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "file:///etc/passwd", "data:text/html,x", "vbscript:x"]
)
def test_dangerous_link_keeps_its_text_alone(target: str) -> None:
    """A link with another scheme than that of pages is text."""
    content = word(
        p("Tựa", "Title"),
        p(content='<w:hyperlink r:id="r9"><w:r><w:t>bấm vào đây</w:t></w:r></w:hyperlink>'),
        links=link("hyperlink", target),
    )
    item = read(content)
    assert item.body == [Paragraph("bấm vào đây")]


def test_links_and_internal_anchors() -> None:
    """Links to pages stay; links into the document are text, as articles have no anchors."""
    content = word(
        p("Tựa", "Title"),
        p(content='<w:hyperlink r:id="r9"><w:r><w:t>trang</w:t></w:r></w:hyperlink>'),
        p(content='<w:hyperlink w:anchor="muc"><w:r><w:t>mục</w:t></w:r></w:hyperlink>'),
        links=link("hyperlink", "https://haihau.example/?a=1&amp;b=2"),
    )
    item = read(content)
    assert item.body == [Paragraph('<a href="https://haihau.example/?a=1&amp;b=2">trang</a>'), Paragraph("mục")]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_document_is_refused_with_a_reason(name: str) -> None:
    """Broken, bomb-like and dangerous documents are one unreadable item with a sentence, and nothing else happens."""
    content, reason = HOSTILE[name]
    (item,) = read_docx(content, "a.docx")
    assert isinstance(item, UnreadableItem), item
    assert reason in item.reason, item.reason


def test_document_of_ten_thousand_paragraphs_is_read() -> None:
    """A long document is converted in bounded time; the limit on blocks is that of articles."""
    item = read(word(p("Tựa", "Title"), *(p(f"Đoạn {number}") for number in range(10_000))))
    assert len(item.body) == 10_000
