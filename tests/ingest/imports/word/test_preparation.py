"""Odd and hostile Word documents: each part is in the article, or a warning or the reason names it."""

import io
import zipfile

import pytest

from services.ingest.imports.item import ImportItem, UnreadableItem
from services.ingest.imports.word.reader import read_docx
from shared.articles import BulletList, Figure, Paragraph, Table
from tests.ingest.files.samples import OFFICE, RELATIONSHIP, RELATIONSHIPS, TYPES, link, zipped
from tests.ingest.imports.word.documents import NAMES, cell, footnotes, p, png, run, table, word

MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
WPS = 'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
WPG = 'xmlns:wpg="http://schemas.microsoft.com/office/word/2010/wordprocessingGroup"'
BOX = f"<w:txbxContent>{p('Trong khung')}</w:txbxContent>"
SHAPE = (
    f"<w:drawing><wp:anchor><a:graphic><a:graphicData><wps:wsp {WPS}><wps:txbx>{BOX}</wps:txbx></wps:wsp>"
    "</a:graphicData></a:graphic></wp:anchor></w:drawing>"
)
PICTURE = '<pic:pic><pic:blipFill><a:blip r:embed="rImg1"/></pic:blipFill></pic:pic>'
TITLE = p("Tựa", "Title")
RTF = rb"{\rtf1\ansi Nghi quyet}"


def read(content: bytes) -> tuple[list[str], str, ImportItem]:
    """Return the paragraphs of a document, its warnings, and the item."""
    (item,) = read_docx(content, "bai.docx")
    assert isinstance(item, ImportItem), item
    texts = [one.html for one in item.body if isinstance(one, Paragraph)]
    return texts, "\n".join(one.message for one in item.warnings), item


def refusal(content: bytes) -> str:
    """Return why a document is refused."""
    (item,) = read_docx(content, "bai.docx")
    assert isinstance(item, UnreadableItem), item
    return item.reason


def field(instruction: str, shown: str) -> str:
    """Return a complex field with its result."""
    parts = [f'<w:fldChar w:fldCharType="{one}"/>' for one in ("begin", "separate", "end")]
    parts.insert(1, f"<w:instrText>{instruction}</w:instrText>")
    parts.insert(3, f"<w:t>{shown}</w:t>")
    return "".join(f"<w:r>{part}</w:r>" for part in parts)


def with_main_part(name: str, content: str) -> bytes:
    """Return a document whose main part has another name."""
    main = f'<Relationship Id="r1" Type="{RELATIONSHIP}officeDocument" Target="{name}"/>'
    kind = f"{OFFICE}wordprocessingml.document.main+xml"
    types = TYPES.format(part=name, kind=kind)
    return zipped({"[Content_Types].xml": types, "_rels/.rels": RELATIONSHIPS.format(main), name: content})


@pytest.mark.parametrize(("name", "reason"), [("word/document.XML", "document type"), ("word/a.bin", "not named .xml")])
def test_document_type_in_a_part_of_another_name_is_refused(name: str, reason: str) -> None:
    """The part that is read is one that was checked, whatever its name."""
    assert reason in refusal(with_main_part(name, f"<!DOCTYPE d><w:document {NAMES}/>"))


def test_warnings_of_a_main_part_of_another_name() -> None:
    """Newer programs call the text document2.xml; what it loses is reported, too."""
    comment = '<w:r><w:commentReference w:id="1"/></w:r>'
    body = f"<w:document {NAMES}><w:body>{TITLE}{p('Thân', content=comment)}</w:body></w:document>"
    texts, warnings, _ = read(with_main_part("word/document2.xml", body))
    assert (texts, "1 comments" in warnings) == (["Tựa", "Thân"], True)


def test_inserted_file_is_reported() -> None:
    """The content of an altChunk is not read, and never silently: not even if it is all there is."""
    chunk = '<w:altChunk r:id="r9"/>'
    texts, warnings, _ = read(word(TITLE, p("Thân"), chunk))
    assert (texts, warnings) == (["Thân"], "1 inserted files were left out; save the document in Word again")
    assert "1 inserted files were left out" in refusal(word(chunk))


def test_content_controls_keep_their_content() -> None:
    """Content controls around paragraphs, words and rows of tables are their content."""
    inline = f"<w:sdt><w:sdtPr/><w:sdtContent>{run('trong')}</w:sdtContent></w:sdt>"
    row = f"<w:tbl><w:sdt><w:sdtContent><w:tr>{cell('A')}{cell('B')}</w:tr></w:sdtContent></w:sdt></w:tbl>"
    block = f"<w:sdt><w:sdtContent>{p('Khối')}</w:sdtContent></w:sdt>"
    texts, warnings, item = read(word(TITLE, block, p("Chữ ", content=inline), row))
    assert (texts, warnings) == (["Khối", "Chữ trong"], "")
    assert [one.rows[0][0].html for one in item.body if isinstance(one, Table)] == ["A"]


def test_fields_keep_what_they_show() -> None:
    """Simple and complex fields are their results; a link of a field with a script is text."""
    simple = f'<w:fldSimple w:instr="SEQ Hình">{run("Hình 1")}</w:fldSimple>'
    script, page = field('HYPERLINK "javascript:alert(1)"', "bấm"), field('HYPERLINK "https://a.example/"', "trang")
    texts, warnings, _ = read(word(TITLE, p(content=simple), p(content=script), p(content=page)))
    assert texts == ["Hình 1", "bấm", '<a href="https://a.example/">trang</a>']
    assert "fldSimple" not in warnings


def test_unfinished_field_keeps_the_text() -> None:
    """A field without its end does not swallow the text after it."""
    texts, _, _ = read(word(TITLE, p("Trước", content='<w:r><w:fldChar w:fldCharType="begin"/></w:r>'), p("Sau")))
    assert texts == ["Trước", "Sau"]


@pytest.mark.parametrize(
    "shape",
    [
        SHAPE,
        f'<mc:AlternateContent {MC}><mc:Choice Requires="wps">{SHAPE}</mc:Choice></mc:AlternateContent>',
        (
            f'<mc:AlternateContent {MC}><mc:Choice Requires="wps">{SHAPE}</mc:Choice><mc:Fallback><w:pict><v:shape>'
            f"<v:textbox>{BOX}</v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent>"
        ),
    ],
    ids=["alone", "without a fallback", "with a fallback"],
)
def test_text_box_in_each_form_keeps_its_text_once(shape: str) -> None:
    """A text box is after its paragraph, whether it has the form of newer programs, of older ones, or both."""
    texts, warnings, _ = read(word(TITLE, p("Neo", content=f"<w:r>{shape}</w:r>"), p("Sau")))
    assert texts == ["Neo", "Trong khung", "Sau"]
    assert warnings == "the text of 1 text boxes is after the paragraph at which they are anchored"


def test_pictures_of_groups_are_pictures() -> None:
    """Pictures that are grouped in a drawing are in the article."""
    group = (
        f"<w:drawing><wp:inline><a:graphic><a:graphicData><wpg:wgp {WPG}>{PICTURE}</wpg:wgp></a:graphicData>"
        "</a:graphic></wp:inline></w:drawing>"
    )
    _, warnings, item = read(word(TITLE, p("Thân", content=f"<w:r>{group}</w:r>"), pictures={"rImg1": png()}))
    assert (len([one for one in item.body if isinstance(one, Figure)]), warnings) == (1, "")


def test_pictures_of_older_programs_are_pictures() -> None:
    """A VML picture in the document is kept; a linked one is reported, and is not fetched."""
    inside, linked = '<v:imagedata r:id="rImg1"/>', '<v:imagedata r:href="r9"/>'
    parts = "".join(f"<w:r><w:pict><v:shape>{one}</v:shape></w:pict></w:r>" for one in (inside, linked))
    content = word(
        TITLE, p("Thân", content=parts), pictures={"rImg1": png()}, links=link("image", "http://127.0.0.1:1/a.png")
    )
    _, warnings, item = read(content)
    assert len([one for one in item.body if isinstance(one, Figure)]) == 1
    assert warnings == "a picture was left out: it is linked or missing, not in the document"


def test_word_art_keeps_its_text() -> None:
    """The text of WordArt, which is an attribute, is that of a text box."""
    art = '<w:r><w:pict><v:shape><v:textpath string="Chúc mừng &lt;năm&gt; mới"/></v:shape></w:pict></w:r>'
    texts, warnings, _ = read(word(TITLE, p("Thân", content=art)))
    assert texts == ["Thân", "Chúc mừng &lt;năm&gt; mới"]
    assert "1 text boxes" in warnings


def test_hidden_text_is_not_published() -> None:
    """Text that the writer has hidden is left out, with a warning; `vanish` switched off is shown."""
    hidden, shown = run("Bí mật", "<w:vanish/>"), run(" mở", '<w:vanish w:val="0"/>')
    texts, warnings, item = read(word(TITLE, p("Thân", content=hidden + shown)))
    assert (texts, warnings) == (["Thân mở"], "1 runs of hidden text were left out")
    assert "Bí mật" not in str(item)


def test_text_that_is_struck_through_is_reported() -> None:
    """Its words stay, as articles have no such line, and are never taken for valid ones silently."""
    struck = run(" 20", "<w:strike/>") + run(" 30", "<w:dstrike/>") + run(" 40", '<w:strike w:val="false"/>')
    texts, warnings, _ = read(word(TITLE, p("Giá 10", content=struck)))
    assert texts == ["Giá 10 20 30 40"]
    assert warnings.startswith("2 runs of text were struck through")


def ruby(base: str, reading: str) -> str:
    """Return what Word writes for characters with a reading: a run with runs in it."""
    parts = f"<w:rubyPr><w:hps w:val='10'/></w:rubyPr><w:rt>{reading}</w:rt><w:rubyBase>{base}</w:rubyBase>"
    return f"<w:r><w:rPr><w:b/></w:rPr><w:ruby>{parts}</w:ruby></w:r>"


def test_characters_with_a_reading_stay_and_the_reading_is_in_brackets() -> None:
    """The characters are the text, the reading follows them, and nothing that is hidden is shown."""
    hidden = run("mật", "<w:vanish/>")
    capital = ruby(run("河") + run("内"), run("Hà Nội"))
    hue = ruby(run("順") + hidden, hidden) + ruby(run("化"), run("Hoá"))
    content = run("Họ tới ") + capital + run(" và ") + hue + run(".")
    texts, warnings, _ = read(word(TITLE, p("", content=content)))
    assert texts == ["Họ tới <strong>河内(Hà Nội)</strong> và <strong>順化(Hoá)</strong>."]
    assert warnings.endswith("2 readings above characters (ruby) are in brackets after them")


def test_boxes_of_forms_and_old_line_ends_are_what_they_show() -> None:
    """A box that is ticked stays one, and words around a line end do not become one word."""
    space = 'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml"'
    boxes = "".join(
        f"<w:sdt><w:sdtPr><w14:checkbox {space}><w14:checked w14:val='{on}'/></w14:checkbox></w:sdtPr>"
        f"<w:sdtContent>{run(box)}</w:sdtContent></w:sdt>{run(label)}"
        for on, box, label in ((1, "☒", " Đồng ý "), (0, "☐", " Không"))
    )
    texts, warnings, _ = read(
        word(TITLE, p(content=boxes), p(content="<w:r><w:t>một</w:t><w:cr/><w:t>hai</w:t></w:r>"))
    )
    assert (texts, warnings) == (["☒ Đồng ý ☐ Không", "một<br>hai"], "")


def test_equations_are_reported() -> None:
    """Equations are counted, once each, and the text around them stays."""
    equation = "<m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath>"
    texts, warnings, _ = read(word(TITLE, p("a", content=f"{equation}<m:oMathPara>{equation}</m:oMathPara>")))
    assert (texts, warnings) == (["a"], "2 equations were left out; add them as pictures")


def test_bookmarks_and_smart_tags_keep_their_text() -> None:
    """Bookmarks are nothing in an article, and smart tags and custom XML are their text."""
    mark = '<w:bookmarkStart w:id="1" w:name="a&quot;&gt;&lt;script&gt;"/><w:bookmarkEnd w:id="1"/>'
    tags = "".join(f"<w:{one}>{run(' ' + one)}</w:{one}>" for one in ("smartTag", "customXml", "dir", "bdo"))
    texts, warnings, item = read(word(TITLE, p("Chữ", content=mark + tags)))
    assert (texts, warnings) == (["Chữ smartTag customXml dir bdo"], "")
    assert "script" not in str(item.body)


def test_footnotes_and_endnotes_are_one_list() -> None:
    """Notes of both kinds are numbered in their order, and listed at the end."""
    marks = "".join(f'<w:r><w:{kind}Reference w:id="1"/></w:r>' for kind in ("footnote", "endnote"))
    ends = footnotes("Cuối bài").replace("footnote", "endnote")
    texts, _, item = read(word(TITLE, p("Chữ", content=marks), footnotes=footnotes("Chân trang"), endnotes=ends))
    assert texts == ["Chữ<sup>[1]</sup><sup>[2]</sup>"]
    (notes,) = [one for one in item.body if isinstance(one, BulletList)]
    assert [one.html for one in notes.items] == ["Chân trang", "Cuối bài"]


def test_text_of_page_margins_is_reported() -> None:
    """Words in page headers are left out with a warning; a page number alone is not worth one."""
    for content, warned in ((run("Sở Văn hóa"), True), (field("PAGE", "12"), False)):
        _, warnings, _ = read(word(TITLE, p("Thân"), header1=f"<w:hdr {NAMES}>{p(content=content)}</w:hdr>"))
        assert ("1 page headers and footers" in warnings) is warned, warnings


def test_nested_lists_and_skipped_levels_keep_each_item() -> None:
    """An item whose level skips one is an item, too."""
    _, _, item = read(word(TITLE, p("Một", level=0), p("Sâu", level=1), p("Hai", level=0), p("Nữa", level=1)))
    assert str(item.body).count("Item(") == 4


def test_table_merged_both_ways_and_uneven_rows_is_read() -> None:
    """A cell over two columns and two rows is one, and a row with fewer cells than others is kept."""
    both = '<w:gridSpan w:val="2"/><w:vMerge w:val="restart"/>'
    rows = (cell("A", both) + cell("B"), cell("", '<w:gridSpan w:val="2"/><w:vMerge/>') + cell("C"), cell("D"))
    _, _, item = read(word(TITLE, table(*rows)))
    (found,) = [one for one in item.body if isinstance(one, Table)]
    first = found.rows[0][0]
    assert (first.html, first.colspan, first.rowspan) == ("A", 2, 2)
    assert [one.html for row in found.rows for one in row] == ["A", "B", "C", "D"]


def test_huge_table_is_read_or_refused_with_a_reason() -> None:
    """Twenty thousand cells end within the limits; spans beyond any table do not take memory."""
    (item,) = read_docx(word(TITLE, table(*[cell("x") * 20] * 1_000)), "bai.docx")
    assert isinstance(item, ImportItem) or item.reason
    (item,) = read_docx(word(TITLE, p("Thân"), table(cell("x", '<w:gridSpan w:val="999999999"/>'))), "bai.docx")
    assert isinstance(item, ImportItem) or item.reason


def test_paragraph_of_ten_megabytes_ends_with_a_reason() -> None:
    """A paragraph larger than any article is refused with the limit, not with a crash."""
    assert "at most" in refusal(word(TITLE, p(" ".join(f"{number:x}" for number in range(1_600_000)))))


@pytest.mark.parametrize("text", ["&#0;", "&#xD800;", "&#xDC00;", "\x00", "&#xFFFF;", "\x0b"])
def test_characters_that_are_none_are_refused(text: str) -> None:
    """NUL, half surrogates and control characters, which XML has not, are a damaged document."""
    assert "is not XML" in refusal(word(TITLE, p(f"a{text}b")))


def test_other_programs_in_the_name_of_a_document_are_refused() -> None:
    """RTF and OLE documents are refused with what can be done."""
    assert refusal(RTF) == "is RTF; save it as .docx"
    assert "save it as .docx" in refusal(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))


def test_document_without_its_text_part_is_refused() -> None:
    """A package whose relationship names a part that is missing is damaged."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word(TITLE))) as given, zipfile.ZipFile(content, "w") as kept:
        for name in given.namelist():
            if name != "word/document.xml":
                kept.writestr(name, given.read(name))
    assert "damaged" in refusal(content.getvalue())


def test_picture_with_a_script_as_its_link_is_a_picture() -> None:
    """The link of a picture is dropped where it is no page."""
    drawing = (
        '<w:r><w:drawing><wp:inline><wp:docPr id="1" name="x"><a:hlinkClick r:id="r9"/></wp:docPr><a:graphic>'
        f"<a:graphicData>{PICTURE}</a:graphicData></a:graphic></wp:inline></w:drawing></w:r>"
    )
    content = word(
        TITLE, p("Thân", content=drawing), pictures={"rImg1": png()}, links=link("hyperlink", "javascript:alert(1)")
    )
    _, _, item = read(content)
    assert (len(item.embedded), "javascript" in str(item.body)) == (1, False)
