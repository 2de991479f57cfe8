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
    marks = MediaMarks(found, "")
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
        f'<div><img src="/logo.png"></div><div class=t><p>{TEXT}</p><img src="/a.jpg"><img src="/b.jpg">'
        f"<p>Hết {TEXT}</p></div>"
    )
    warnings: list[ItemWarning] = []
    blocks = [
        Paragraph(TEXT.strip()),
        Figure("", Image("https://cu.example/b.jpg", "")),
        Paragraph(f"Hết {TEXT.strip()}"),
    ]
    report_lost_pictures(found, list(blocks), "https://cu.example/", warnings)
    assert [one.message for one in warnings] == ["a picture beside the text was left out: https://cu.example/a.jpg"]
