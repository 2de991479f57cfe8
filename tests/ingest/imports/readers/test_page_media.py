"""Videos and pictures of saved pages."""

from typing import Any

from lxml import html

from services.ingest.imports.readers.page_media import MediaMarks, report_lost_pictures
from services.ingest.imports.warnings import ItemWarning
from shared.articles import Figure, Image, Paragraph
from tests.ingest.imports.samples import read_content

TEXT = "Sáng nay bà con các xã ven biển về dự hội làng rất đông, theo ban tổ chức. " * 3
HEAD = "<title>Hội làng</title><link rel=canonical href='https://cu.example/hoi'>"
PAGE = f"<html><head>{HEAD}</head><body><h1>Hội làng</h1>{{}}</body></html>"


def tree(content: str) -> Any:
    return html.document_fromstring(PAGE.format(content))


def test_media_marks_are_restored_in_their_places() -> None:
    """A video is where it was, though the extraction of the text would drop it."""
    found = tree('<p>a</p><iframe src="https://www.youtube.com/embed/dQw4w9WgXcQ"></iframe><p>b</p>')
    marks = MediaMarks(found, "", [])
    text = html.tostring(found, encoding="unicode")
    assert "<iframe" not in text
    assert '</p><iframe src="https://www.youtube.com/embed/dQw4w9WgXcQ"></iframe><p>b' in marks.restore(text)


def test_read_html_keeps_videos_and_late_pictures() -> None:
    """The article of a saved page has its video, and the picture that a script would load."""
    content = (
        f'<div><p>{TEXT}</p><p><img data-src="/a.jpg" src="/blank.gif" alt="Chợ"></p><p>{TEXT} Hai.</p>'
        f'<iframe src="https://www.youtube.com/embed/dQw4w9WgXcQ"></iframe><p>{TEXT} Ba.</p></div>'
    )
    (item,) = read_content("a.html", PAGE.format(content).encode())
    assert [type(one).__name__ for one in item.body] == ["Paragraph", "Figure", "Paragraph", "Embed", "Paragraph"]
    assert item.body[1].image.url == "https://cu.example/a.jpg"


def test_report_lost_pictures_names_those_beside_the_text() -> None:
    """A picture between the paragraphs that is not in the blocks is reported; those elsewhere are not."""
    found = tree(
        f'<div><img src="/logo.png"></div><div class=t><p>{TEXT}</p><img src="/a.jpg" width="²" height="{"9" * 5000}">'
        f'<img src="/b.jpg"><p>Hết {TEXT}</p></div>'
    )
    warnings: list[ItemWarning] = []
    blocks = [
        Paragraph(TEXT.strip()),
        Figure("", Image("https://cu.example/b.jpg", "")),
        Paragraph(f"Hết {TEXT.strip()}"),
    ]
    report_lost_pictures(found, list(blocks), "https://cu.example/", warnings)
    assert [one.message for one in warnings] == ["a picture beside the text was left out: https://cu.example/a.jpg"]


def test_read_html_reports_pictures_beside_a_saved_page() -> None:
    """A picture in the folder that a browser has saved is not linked at the old site, where it never was."""
    content = (
        f'<div><p>{TEXT}</p><img src="./Hội làng_files/a.jpg"><img src="B%C3%A0i_files/b.jpg"><p>{TEXT} Hai.</p></div>'
    )
    (item,) = read_content("a.html", PAGE.format(content).encode())
    assert [one.kind for one in item.warnings] == ["image", "image"]
    assert [type(one).__name__ for one in item.body] == ["Paragraph", "Paragraph"]


def test_read_html_picture_between_title_and_text_is_the_lead_picture() -> None:
    """NukeViet shows the picture of an article beside its lead, where the extraction of the text loses it."""
    content = (
        '<div class="hometext">Sapo của bài.</div><figure><img src="/uploads/a.jpg" alt="x">'
        f'<figcaption>Chú thích</figcaption></figure><div id="news-bodyhtml"><p>{TEXT}</p><p>{TEXT} Hai.</p></div>'
    )
    (item,) = read_content("a.html", PAGE.format(content).encode())
    assert (item.lead_image.image.url, item.lead_image.caption) == ("https://cu.example/uploads/a.jpg", "Chú thích")
