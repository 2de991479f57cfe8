"""HTML of Word, Google Docs, Excel, Zalo and web pages → blocks, in Node."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.imports.markup import legacy_fonts
from tests.ingest.newsroom.client.scripts import ClientScripts

WORD = """<html xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:w="urn:schemas-microsoft-com:office:word">
<head><meta charset="utf-8"><!--[if gte mso 9]><xml><w:WordDocument></w:WordDocument></xml><![endif]-->
<style><!-- p.MsoNormal, li.MsoNormal {{margin:0cm; font-size:14.0pt; font-family:"Times New Roman",serif;}} --></style>
</head><body lang=EN-US><!--StartFragment-->{body}<!--EndFragment--></body></html>"""
ITEM = (
    "<p class=MsoListParagraphCxSpMiddle style='margin-left:.5in;text-indent:-.25in;mso-list:l0 level{level} lfo1'>"
    "<![if !supportLists]><span style='mso-list:Ignore'>{mark}<span style='font:7.0pt'>&nbsp;&nbsp; "
    "</span></span><![endif]><span lang=VI>{text}<o:p></o:p></span></p>"
)


def paste(scripts: ClientScripts, html: str) -> Any:
    return scripts.call("paste", html)


def word(*parts: str) -> str:
    return WORD.format(body="".join(parts))


def outline(items: list[Any]) -> list[Any]:
    return [[one["html"], outline(one["items"])] if one["items"] else one["html"] for one in items]


def test_word_lists_are_nested_lists(scripts: ClientScripts) -> None:
    """Paragraphs of mso-list become lists of their levels, numbered where Word numbers them, without Word's marks."""
    rows = [(1, "1.", "Một"), (2, "a)", "Điểm <b>a</b>"), (2, "b)", "Điểm b"), (3, "§", "sâu"), (1, "2.", "Hai")]
    html = word(
        "<p class=MsoNormal>Trước</p>", *(ITEM.format(level=a, mark=b, text=c) for a, b, c in rows), "<p>Sau</p>"
    )
    blocks = paste(scripts, html)["blocks"]
    assert [one["type"] for one in blocks] == ["paragraph", "list", "paragraph"]
    assert outline(blocks[1]["items"]) == [
        ["Một", ["Điểm <strong>a</strong>", ["Điểm b", ["sâu"]]]],
        "Hai",
    ]
    assert blocks[1]["ordered"] is True
    assert blocks[1]["items"][0]["ordered"] is True
    assert blocks[1]["items"][0]["items"][1]["ordered"] is False


def test_word_list_deeper_than_four_is_four_deep(scripts: ClientScripts) -> None:
    """Levels below the fourth are items of the fourth, and that is said."""
    pasted = paste(scripts, word(*(ITEM.format(level=n, mark="·", text=str(n)) for n in range(1, 8))))
    assert outline(pasted["blocks"][0]["items"]) == [["1", [["2", [["3", ["4", "5", "6", "7"]]]]]]]
    assert pasted["dropped"]["depth"] is True


def test_long_texts_of_pictures_are_cut_between_characters(scripts: ClientScripts) -> None:
    """A caption and an alternative text have as many characters as the server allows, none of them halved."""
    picture = f'<img src="/b.jpg" alt="{"😀" * 301}">'
    (figure,) = paste(scripts, f"<figure>{picture}<figcaption>x{'😀' * 500}</figcaption></figure>")["blocks"]
    assert figure["caption"] == "x" + "😀" * 499
    assert figure["image"]["alt"] == "😀" * 300


def test_word_formatting_headings_and_merged_cells_stay(scripts: ClientScripts) -> None:
    """Bold, italic, headings, the title and spans of cells are kept; styles, comments and footnote links are not."""
    html = word(
        "<p class=MsoTitle>Báo cáo</p><h1><b>Kết quả</b></h1>",
        "<p class=MsoNormal><b><span style='color:red;font-size:20pt'>Đậm</span></b> và <i>nghiêng</i>, m<sup>2</sup>",
        "<a style='mso-comment-reference:A_1'>x</a><a class=msocomanchor id=_anchor_1 href='#_msocom_1'>[A1]</a>",
        "<a href='#_ftn1' name='_ftnref1'>[1]</a></p>",
        "<table class=MsoTableGrid border=1><tr>",
        "<td rowspan=2 style='width:5pt'><p class=MsoNormal>Xã<o:p></o:p></p></td>",
        "<td colspan=2><p class=MsoNormal>Năm</p><p class=MsoNormal>2026</p></td></tr>",
        "<tr><td>1</td><td>2</td></tr></table>",
        "<div style='mso-element:comment-list'><p>Lan: sửa chỗ này</p></div>",
    )
    pasted = paste(scripts, html)
    heading, result, text, table = pasted["blocks"]
    assert heading == {"type": "heading", "html": "Báo cáo", "level": 2}
    assert result["html"] == "Kết quả"
    assert text["html"] == "<strong>Đậm</strong> và <em>nghiêng</em>, m<sup>2</sup>x[1]"
    cells = [[(one["html"], one["colspan"], one["rowspan"]) for one in row] for row in table["rows"]]
    assert cells == [[("Xã", 1, 2), ("Năm<br>2026", 2, 1)], [("1", 1, 1), ("2", 1, 1)]]
    assert pasted["dropped"] == {"styles": True, "comments": 2}


def test_pictures_of_the_writers_disk_are_named(scripts: ClientScripts) -> None:
    """A file:// or cid: picture, or one of another site, waits for its file under its name; data: is kept to upload."""
    html = word(
        "<p>Một<img width=554 height=312 src='file:///C:/Temp/msohtmlclip1/clip_image002.jpg'>",
        "hai</p><p><img src='cid:anh%20hop.png@01D9'></p><img "
        "src='https://lh3.googleusercontent.com/abc' alt='Cổng chợ'>",
        "<img src='data:image/png;base64,iVBORw0KGgo=' alt='Sơ đồ'><img width=1 height=1 src='https://x.example/p.gif'>",
        "<img src='javascript:alert(1)'><!--[if gte vml 1]><v:shape><v:imagedata src='x.png'/></v:shape><![endif]-->",
    )
    pasted = paste(scripts, html)
    waiting = [node["attrs"]["pending"] for node in pasted["nodes"] if node["type"] == "figure"]
    assert [(one["name"], one["state"], one.get("elsewhere", False)) for one in waiting] == [
        ("clip_image002.jpg", "missing", False),
        ("anh hop.png@01D9", "missing", False),
        ("abc", "missing", True),
        ("Sơ đồ", "data", False),
    ]
    assert pasted["dropped"] == {"icons": 1, "pictures": 1}
    names = ["clip_image002.jpg", "anh hop.png@01D9", "abc", "Sơ đồ"]
    saved = [{"type": "figure", "caption": f"[{name}]", "image": None, "credit": None} for name in names]
    texts = [{"type": "paragraph", "html": text} for text in ("Một", "hai")]
    assert pasted["blocks"] == [texts[0], saved[0], texts[1], *saved[1:]]
    assert scripts.call("roundTrip", pasted["blocks"]) == pasted["blocks"]


def test_tracked_deletions_are_left_out_and_struck_words_are_told(scripts: ClientScripts) -> None:
    """What somebody has deleted in Word is not published as text; that words were struck through is said."""
    deleted = '<del cite="mailto:Lan"><span>500.000</span></del><ins cite="mailto:Lan"><span>450.000</span></ins>'
    pasted = paste(scripts, word(f"<p class=MsoNormal>Mức thu {deleted} đồng<span class=msoDel> mỗi hộ</span>.</p>"))
    assert pasted["blocks"] == [{"type": "paragraph", "html": "Mức thu 450.000 đồng."}]
    assert pasted["dropped"] == {"deletions": 2}
    for struck in ("<s>100</s>", "<strike>100</strike>", "<span style='text-decoration:line-through'>100</span>"):
        pasted = paste(scripts, f"<p>Giá {struck} 70</p>")
        assert pasted["blocks"] == [{"type": "paragraph", "html": "Giá 100 70"}]
        assert pasted["dropped"] == {"strike": True}


def test_numbers_of_articles_of_law_are_text(scripts: ClientScripts) -> None:
    """Word counts "Điều 1." as a list; here no list has such numbers, and the text is cited by them."""
    rows = ((1, "Chương I", "Quy định chung"), (1, "Điều 1.", "Phạm vi"), (2, "a)", "Điểm a"), (1, "Điều 2.", "Hết"))
    blocks = paste(scripts, word(*(ITEM.format(level=a, mark=b, text=c) for a, b, c in rows)))["blocks"]
    assert [one.get("html") for one in blocks] == ["Chương I Quy định chung", "Điều 1. Phạm vi", None, "Điều 2. Hết"]
    assert blocks[2]["type"] == "list"


def test_control_characters_are_not_pasted(scripts: ClientScripts) -> None:
    """Line ends of slides and other systems are line ends; what no text may have does not keep it from being saved."""
    text = scripts.call("pasteText", "a\x0bb\x0cc\x1fd\x85e\u2028f\u2029g\x00h\x07\x7f")
    assert [one["html"] for one in text["blocks"]] == ["a", "b", "cd", "e", "f", "gh"]
    assert paste(scripts, "<p>a\x0bb\x07\x9fc</p>")["blocks"] == [{"type": "paragraph", "html": "abc"}]


def test_google_docs_formatting_is_read_from_spans(scripts: ClientScripts) -> None:
    """The bold element around everything is not bold; weights and styles of spans are; lists in lists are nested."""
    html = (
        '<meta charset="utf-8"><b style="font-weight:normal;" id="docs-internal-guid-1"><h2 '
        'dir="ltr"><span>Đề mục</span>'
        '</h2><p dir="ltr"><span style="font-weight:400">Thường </span><span style="font-weight:700;color:#ff0000">đậm'
        '</span><span style="font-style:italic"> nghiêng</span> '
        'H<span style="vertical-align:sub;font-size:0.6em">2</span>O'
        '</p><br /><ul><li dir="ltr" aria-level="1"><p>Một</p></li><ul><li aria-level="2"><p>Hai</p></li></ul></ul>'
        '<ol><li aria-level="1"><p>Ba</p></li></ol></b>'
    )
    blocks = paste(scripts, html)["blocks"]
    assert blocks[0] == {"type": "heading", "html": "Đề mục", "level": 2}
    assert blocks[1]["html"] == "Thường <strong>đậm</strong><em> nghiêng</em> H<sub>2</sub>O"
    assert [(one["ordered"], outline(one["items"])) for one in blocks[2:]] == [
        (False, [["Một", ["Hai"]]]),
        (True, ["Ba"]),
    ]


def test_excel_formatting_is_read_from_classes(scripts: ClientScripts) -> None:
    """Cells that a class of the style sheet makes bold are bold; empty cells and spans stay."""
    html = (
        "<html><head><style><!-- .xl65 {font-weight:700; text-align:center;} .xl66 {color:red;} --></style></head>"
        "<body>"
        "<table border=0><!--StartFragment--><col width=64><tr height=20><td class=xl65 colspan=2>Xã</td></tr>"
        "<tr><td class=xl66>Hải Quang</td><td></td></tr><!--EndFragment--></table></body></html>"
    )
    [table] = paste(scripts, html)["blocks"]
    assert [[one["html"] for one in row] for row in table["rows"]] == [["<strong>Xã</strong>"], ["Hải Quang", ""]]


def test_chat_lines_are_paragraphs(scripts: ClientScripts) -> None:
    """Zalo's lines in one element, and two breaks in a row on a web page, begin paragraphs."""
    zalo = '<div class="card"><span style="white-space:pre-wrap">Dòng một\nDòng hai</span><div>Dòng ba 😀</div></div>'
    assert [one["html"] for one in paste(scripts, zalo)["blocks"]] == ["Dòng một", "Dòng hai", "Dòng ba 😀"]
    page = "<div>Một<br>một rưỡi<br><br>Hai</div>"
    assert [one["html"] for one in paste(scripts, page)["blocks"]] == ["Một<br>một rưỡi", "Hai"]
    text = scripts.call("pasteText", "Một\r\n\r\n  Hai\tba \n")
    assert [one["html"] for one in text["blocks"]] == ["Một", "Hai ba"]


def test_web_pages_lose_what_the_model_lacks(scripts: ClientScripts) -> None:
    """Scripts, frames, forms and hidden parts are left out and counted; quotations, captions and links stay."""
    html = (
        "<article><h1>Tin</h1><p onclick=x()>Đoạn <a href='https://a.vn/b' onclick=x>liên kết</a> "
        "<a href='javascript:x'>"
        "xấu</a> <u>gạch</u></p><script>alert(1)</script><iframe src='https://youtu.be/x'></iframe><p hidden>ẩn</p>"
        "<blockquote><p>Lời <b>hay</b></p></blockquote><figure><img src='/media/a.jpg' alt='A'><figcaption>Chú <i>thích"
        "</i></figcaption></figure><form><input value=x><button>Gửi</button></form><svg><text>x</text></svg></article>"
    )
    pasted = paste(scripts, html)
    assert [one["type"] for one in pasted["blocks"]] == ["heading", "paragraph", "quote", "figure"]
    assert pasted["blocks"][1]["html"] == 'Đoạn <a href="https://a.vn/b">liên kết</a> xấu gạch'
    assert pasted["blocks"][2]["paragraphs"] == ["Lời <strong>hay</strong>"]
    assert pasted["blocks"][3]["caption"] == "Chú thích"
    told = {"links": 1, "underline": True, "scripts": 1, "frames": 1, "fields": 1, "icons": 1}
    assert pasted["dropped"] == told


def test_quotations_in_quotations_stay(scripts: ClientScripts) -> None:
    """A mail that quotes a mail keeps the words of both."""
    older = "<blockquote><p>Cũ hơn</p><blockquote>Đầu tiên</blockquote></blockquote>"
    html = f"<blockquote><div>Câu cũ</div>{older}</blockquote>"
    found = scripts.call("paste", html)
    assert [(one["type"], one["paragraphs"]) for one in found["blocks"]] == [
        ("quote", ["Câu cũ", "Cũ hơn", "Đầu tiên"])
    ]


def test_formulas_keep_their_characters_and_forms_are_told(scripts: ClientScripts) -> None:
    """Formulas are text once, not twice where a page has a copy for screen readers; fields and drawings are named."""
    formula = (
        "<math><semantics><mrow><msup><mi>r</mi><mn>2</mn></msup><mo>=</mo><mfrac><mn>1</mn><mn>2</mn></mfrac></mrow>"
    )
    html = f"<p>Bán kính {formula}<annotation>r^2</annotation></semantics></math> m</p>"
    found = scripts.call("paste", html)
    assert [one["html"] for one in found["blocks"]] == ["Bán kính r<sup>2</sup>=1/2 m"]
    assert found["dropped"] == {"formulas": True}
    copied = '<span class="katex-mathml"><math><mi>x</mi></math></span><span class="katex-html">x</span>'
    assert [one["html"] for one in scripts.call("paste", copied)["blocks"]] == ["x"]
    form = (
        "<form>Tên <input><input type=hidden><textarea>a</textarea><select><option>b</select><svg><text>c</svg></form>"
    )
    assert scripts.call("paste", form)["dropped"] == {"fields": 3, "icons": 1}


def test_headings_of_word_for_the_web_are_headings(scripts: ClientScripts) -> None:
    """They are paragraphs with a role and a level."""
    html = '<p role="heading" aria-level="1"><b>Một</b></p><p role="heading" aria-level="3">Hai</p>'
    html += '<p role="heading">Ba</p>'
    found = scripts.call("paste", html)["blocks"]
    assert [(one["type"], one["level"], one["html"]) for one in found] == [
        ("heading", 2, "Một"),
        ("heading", 3, "Hai"),
        ("heading", 2, "Ba"),
    ]


def test_lines_that_a_pdf_has_broken_are_paragraphs_again(scripts: ClientScripts) -> None:
    """Long lines that go on in small letters, or after a hyphen, are joined; short ones, and new sentences, are not."""
    text = (
        "Căn cứ Luật Tổ chức chính quyền địa phương ngày 19 tháng 6\nnăm 2015;\n"
        "Căn cứ Nghị định của Chính phủ quy định chi tiết số 34/2016/NĐ-\nCP ngày 14/5/2016;\r\n"
        "Điều 1. Phê duyệt quy hoạch xây dựng nông thôn mới, giai đoạn 2021-\n2025.\n"
        "em gửi bài rồi ạ\nanh xem giúp em\n"
        "Danh sách các hộ được hỗ trợ tiền điện trong tháng mười một gồm:\nhộ ông Nam"
    )
    assert [one["html"] for one in scripts.call("pasteText", text)["blocks"]] == [
        "Căn cứ Luật Tổ chức chính quyền địa phương ngày 19 tháng 6 năm 2015;",
        "Căn cứ Nghị định của Chính phủ quy định chi tiết số 34/2016/NĐ-CP ngày 14/5/2016;",
        "Điều 1. Phê duyệt quy hoạch xây dựng nông thôn mới, giai đoạn 2021-2025.",
        "em gửi bài rồi ạ",
        "anh xem giúp em",
        "Danh sách các hộ được hỗ trợ tiền điện trong tháng mười một gồm:",
        "hộ ông Nam",
    ]


def test_tables_of_one_cell_are_their_content(scripts: ClientScripts) -> None:
    """A frame of one cell is its content; a table in a cell is its text."""
    assert [one["html"] for one in paste(scripts, "<table><tr><td><p>A</p><p>B</p></td></tr></table>")["blocks"]] == [
        "A",
        "B",
    ]
    nested = "<table><tr><td>1</td><td><table><tr><td>x</td><td>y</td></tr></table></td></tr></table>"
    [table] = paste(scripts, nested)["blocks"]
    assert [one["html"] for one in table["rows"][0]] == ["1", "x<br>y"]


LATIN = "".join(map(chr, range(0xA1, 0x100)))
TCVN3 = "S¸ng ngµy 4/3, huyÖn H¶i HËu tæ chøc lÔ ®ãn nhËn B»ng c«ng nhËn ®¹t chuÈn n«ng th«n míi cña Nhµ n­íc"
VNI = "Saùng ngaøy 4/3, huyeän Haûi Haäu toå chöùc leã ñoùn nhaän Baèng coâng nhaän ñaït chuaån noâng thoân môùi"
GOOD = "Sáng ngày 4/3, huyện Hải Hậu tổ chức lễ đón nhận Bằng công nhận đạt chuẩn nông thôn mới"


@pytest.mark.parametrize(("font", "text"), [("TCVN3", TCVN3), ("VNI", VNI)])
def test_text_in_old_fonts_is_converted(scripts: ClientScripts, font: str, text: str) -> None:
    """Text in TCVN3 and VNI is Unicode after the paste, which is said, in plain text and in HTML."""
    for pasted in (scripts.call("pasteText", text), paste(scripts, f"<p>{text}</p>")):
        assert pasted["font"] == font
        assert pasted["blocks"][0]["html"].startswith(GOOD)


def test_text_in_old_fonts_is_known_by_the_name_of_its_font(scripts: ClientScripts) -> None:
    """A few words are converted, too, where Word names their font; one with H draws capitals."""
    html = word(
        "<p class=MsoNormal><span style='font-family:.VnTime'>C«ng v¨n</span> ",
        "<span style='font-family:.VnTimeH'>mËt</span> ",
        "<span style='font-family:\"VNI-Times\"'>Ñaûng</span> <span style='font-family:Arial'>café</span></p>",
    )
    pasted = paste(scripts, html)
    assert (pasted["blocks"][0]["html"], pasted["font"]) == ("Công văn MẬT Đảng café", "VNI")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from(LATIN + "aeouyAEOUY nhct\u00ad"), max_size=80))
def test_old_fonts_are_read_as_by_the_imports(scripts: ClientScripts, text: str) -> None:
    """The scripts recognise and convert the same texts as the imports, to the same letters."""
    assert scripts.call("detectFont", text) == legacy_fonts.detect(text)
    for font in ("TCVN3", "VNI"):
        assert scripts.call("toUnicode", text, font) == legacy_fonts.to_unicode(text, font)


TAGS = [
    *("p", "div", "b", "i", "span", "a", "img", "table", "tr", "td", "th", "ul", "ol", "li", "h2", "blockquote"),
    *("figure", "br", "script", "style", "o:p", "iframe", "pre"),
]
ATTRIBUTES = [
    *("style='mso-list:l0 level3 lfo1'", 'style="font-weight:700', "href=javascript:x", "src='file:///a.png'"),
    *("colspan=999999", "rowspan=-1", "hidden", "style='mso-list:Ignore'", "aria-level=9", "href=//a.vn"),
    *("src=data:x", "class=xl65"),
]
PIECE = st.one_of(
    st.builds(lambda tag, more: f"<{tag} {more}>", st.sampled_from(TAGS), st.sampled_from(ATTRIBUTES)),
    st.builds(lambda tag: f"</{tag}>", st.sampled_from(TAGS)),
    st.sampled_from(
        ["Ở", " ", "\n", "&nbsp;", "&#0;", "&lt;b&gt;", "<", ">", "<!--", "-->", "<![if x]>", '"', "a<b", "\0"]
    ),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECE, max_size=40))
def test_any_markup_is_a_valid_document(scripts: ClientScripts, pieces: list[str]) -> None:
    """Whatever is in a clipboard, what is pasted is valid in the schema; nothing fails."""
    paste(scripts, "".join(pieces))


def test_deep_and_large_markup_is_read(scripts: ClientScripts) -> None:
    """Thousands of open elements, attributes, references and tables do not block the page."""
    for html in ("<b>" * 20_000, "<div " + "a='" * 20_000, "<p>a" * 5_000, "&" * 50_000, "<table><tr>" * 5_000):
        paste(scripts, html)
