"""Articles on paper and as files to keep, in real Chromium: nothing is lost, and a file needs nothing else."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import segno
from PIL import Image as Picture
from playwright.sync_api import Browser, Page

from services.render.pages import html, qr_codes, saved_copy
from services.render.pages.page_data import RelatedArticles
from services.render.pages.themes import theme_of
from shared.articles import (
    Article,
    Author,
    Block,
    BulletList,
    Cell,
    Correction,
    Embed,
    Figure,
    File,
    Heading,
    Item,
    Paragraph,
    Quote,
    Source,
    Table,
    article_path,
)
from tests.browser.pdf_text import PdfPage, pdf_pages
from tests.browser.sample_portal import NOW, SITE, Media, article, draw, serving

LONG = "https://vanban.example/" + "nghi-quyet-hoi-dong-nhan-dan-" * 6
DEEP = [Item("tầng một", [Item("tầng hai", [Item("tầng ba", [Item("tầng bốn")], ordered=True)])])]
CONTROLS = (
    "Tìm kiếm",
    "In bài",
    "Lưu về máy",
    "Facebook",
    "Zalo",
    "Chuyên mục",
    "Liên quan",
    "Đọc nhiều",
    "Tin cũ hơn",
)


def table(columns: int, rows: int = 6) -> Table:
    """Return a table of names and large numbers."""
    head = [Cell("Xã, thị trấn", header=True), *(Cell(f"Chỉ tiêu {n}", header=True) for n in range(1, columns))]
    body = [[Cell(f"Hải Anh {row}"), *(Cell(number(row, n)) for n in range(1, columns))] for row in range(rows)]
    return Table([head, *body], caption=f"Bảng có {columns} cột")


def number(row: int, column: int) -> str:
    return f"1.{row:03}.{column:03}"


def story(*body: Block, **fields: object) -> Article:
    return article(19_000, Media({}), body=list(body), **fields)


WHOLE = story(
    Paragraph("Đoạn mở đầu với <a href='/tin-tuc/'>một liên kết</a>.".replace("'", '"')),
    Heading("Mục lớn"),
    BulletList(DEEP),
    Quote(["Lời người khác."], cite="Ông Nam"),
    Paragraph(LONG),
    table(14),
    Figure("Ảnh thứ hai.", article(18_998, Media({})).lead_image.image, "Ảnh: Lan"),  # type: ignore[union-attr]
    Embed("youtube", "abc", "Xem hội làng"),
    File(
        "/tep/0123456789abcdef0123456789abcdef/van-ban.pdf", "Nghị quyết 12", bytes=2048, media_type="application/pdf"
    ),
    kicker="Đời sống",
    authors=[Author("Trần Nam", "Phóng viên")],
    source=Source("Báo Nam Định"),
    corrections=[Correction("Số hộ đã được sửa.", NOW)],
)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def printed(page: Page, one: Article) -> list[PdfPage]:
    """Print an article's page."""
    related = RelatedArticles(one, one, [one] * 3)
    path, media = article_path(one), Media({})
    media.image(0), media.image(19_000 % 60), media.image(18_998 % 60)
    with serving({path: html.render_article(one, related, SITE, SITE.url)}, media) as served:
        page.goto(served.url + path, wait_until="networkidle")
        return pdf_pages(page.pdf(format="A4", prefer_css_page_size=True, print_background=True))


def joined(pages: Sequence[PdfPage]) -> str:
    return "".join(one.text for one in pages)


@pytest.mark.parametrize("columns", [6, 8, 10, 12, 14, 17, 20, 34])
def test_printed_table_loses_no_column_and_breaks_no_number(page: Page, columns: int) -> None:
    """Every cell of a table of any width is on the paper, and up to 20 columns each number is in one line."""
    pages = printed(page, story(Heading("Số liệu"), table(columns), Paragraph("Sau bảng.")))
    text = joined(pages)
    assert [one.begins_outside() for one in pages] == [[]] * len(pages)
    lines = [line for one in pages for line in one.lines]
    for row in range(6):
        for column in range(1, columns):
            assert number(row, column) in text, (row, column)
            assert columns > 20 or any(number(row, column) in line for line in lines), (row, column)
    assert "Sốliệu" in "".join(one.text for one in pages if f"Bảngcó{columns}cột" in one.text)


def test_long_printed_table_repeats_its_headers(page: Page) -> None:
    """Each page of a table that goes over several has the names of the columns."""
    pages = [one for one in printed(page, story(table(9, rows=120))) if "1.0" in one.text]
    assert len(pages) > 2
    assert all("Chỉtiêu8" in one.text for one in pages)


def test_printed_article_is_complete_and_has_no_controls(page: Page) -> None:
    """Paper has every block, long words and deep lists, where the article is from, and no menu or button."""
    text = joined(printed(page, WHOLE))
    for wanted in (
        WHOLE.title,
        "Đời sống",
        WHOLE.lead,
        "một liên kết",
        "Mục lớn",
        "tầng bốn",
        "Lời người khác.",
        "Ông Nam",
        LONG,
        number(5, 13),
        "Ảnh thứ hai.",
        "Xem hội làng",
        "Nghị quyết 12",
        "Số hộ đã được sửa.",
        "Trần Nam",
        "Báo Nam Định",
        f"{SITE.agency} · {SITE.url}{article_path(WHOLE)}",
    ):
        assert "".join(wanted.split()) in text, wanted
    for control in CONTROLS:
        assert "".join(control.split()) not in text, control


@pytest.mark.parametrize("width", [360, 1280])
def test_wide_table_scrolls_on_screens(page: Page, width: int) -> None:
    """A table of 14 columns scrolls inside the page: no name or number is squeezed, and its caption stays in sight."""
    caption = "Kết quả sản xuất nông nghiệp, diêm nghiệp và thủy sản mười một tháng, chia theo xã, thị trấn"
    one = story(Table(table(14).rows, caption), Table([[Cell("Đơn vị"), Cell("Ủy ban nhân dân xã Hải Anh " * 20)]]))
    page.set_viewport_size({"width": width, "height": 800})
    with serving({"/a": html.render_article(one, RelatedArticles(), SITE, SITE.url)}, Media({})) as served:
        page.goto(f"{served.url}/a")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide, text = page.locator(".table").all()
        assert wide.evaluate("(one) => one.scrollWidth > one.clientWidth")
        assert text.evaluate("(one) => one.scrollWidth <= one.clientWidth")
        for scrolled in (0, 9_000):
            wide.evaluate("(one, left) => { one.scrollLeft = left }", scrolled)
            seen, told = wide.bounding_box(), wide.locator("caption > span").bounding_box()
            assert seen
            assert told
            assert seen["x"] - 1 <= told["x"], scrolled
            assert told["x"] + told["width"] <= seen["x"] + seen["width"] + 1, scrolled
        for cell in wide.locator("tr:nth-child(2) > td").all():
            box = cell.bounding_box()
            assert box
            assert box["height"] < 45, cell.inner_text()


def saved(one: Article, folder: Path) -> Path:
    """Write an article's copy as a reader's browser saves it."""
    made = html.render_saved(one, {}, SITE, SITE.url)
    assets = theme_of(SITE).assets
    pictures = {
        path: assets[path].body if path in assets else draw((320, 214)) for path in saved_copy.picture_paths(made)
    }
    file = folder / "bai.html"
    canonical = SITE.url + article_path(one)
    file.write_bytes(saved_copy.complete(made, pictures, canonical, SITE.url).body)
    return file


def test_saved_copy_needs_nothing_else(browser: Browser, tmp_path: Path) -> None:
    """Offline and without scripts a saved file shows its style and pictures, and says where it is from."""
    context = browser.new_context(offline=True, java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = context.new_page()
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    file = saved(WHOLE, tmp_path)
    page.goto(file.as_uri(), wait_until="load")
    assert [url for url in requested if not url.startswith("data:")] == [file.as_uri()]
    assert "<script" not in file.read_text()
    for wanted in (WHOLE.title, "tầng bốn", "Báo Nam Định", "Trần Nam", SITE.agency, SITE.url + article_path(WHOLE)):
        assert wanted in page.locator("body").inner_text(), wanted
    assert page.locator("time").first.inner_text() in page.locator(".origin").inner_text()
    pictures = page.locator("figure img")
    assert pictures.count() == 2
    for picture in pictures.all():
        assert picture.evaluate("(one) => one.complete && one.naturalWidth") == 320
    assert page.locator("h1").evaluate("(one) => getComputedStyle(one).fontFamily").startswith('"Noto Serif"')
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    links = page.locator("a").evaluate_all("(all) => all.map((one) => one.getAttribute('href'))")
    assert all(link.startswith(("http://", "https://", "mailto:")) for link in links), links
    assert number(5, 13) in joined(pdf_pages(page.pdf(format="A4", prefer_css_page_size=True)))
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_saved_copy_shows_a_readable_qr_code_of_its_address(page: Page, tmp_path: Path, scheme: str) -> None:
    """The drawn modules are those of the canonical URL, dark on light with a margin of four, in the dark too."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(saved(WHOLE, tmp_path).as_uri())
    drawn = Picture.open(io.BytesIO(page.locator(".qr svg").screenshot(scale="css"))).convert("L")
    code = segno.make(SITE.url + article_path(WHOLE), error="m", micro=False, mask=qr_codes.MASK)
    wanted = [list(row) for row in code.matrix_iter(border=4)]
    side = len(wanted)
    step = drawn.width / side
    seen = [
        [1 if drawn.getpixel((int((x + 0.5) * step), int((y + 0.5) * step))) < 128 else 0 for x in range(side)]
        for y in range(side)
    ]
    assert seen == [[int(bool(one)) for one in row] for row in wanted]
