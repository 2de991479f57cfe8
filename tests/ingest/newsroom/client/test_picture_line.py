"""The line of a picture, in the script of the write page and in the forms."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.newsroom.markdown import api_blocks, blocks_to_markdown
from shared.articles import Figure, Focus, Image
from tests.ingest.newsroom.client.scripts import ClientScripts

TEXTS = st.text(st.sampled_from('ab \\"[](){}=!“ảỷ`*|_é.,:'), max_size=12)
FOCUS = st.none() | st.builds(Focus, st.sampled_from([0.0, 0.333, 0.5, 1.0]), st.sampled_from([0.0, 0.125, 1.0]))
STORED = st.builds(lambda alt, focus: Image("", alt, media="ab" * 32, focus=focus), TEXTS, FOCUS)
ELSEWHERE = st.builds(
    lambda alt, url: Image(url, alt),
    TEXTS,
    st.sampled_from(["https://a.vn/a_(1).jpg", "https://a.vn/a_(.jpg", "/media/a.jpg"]),
)
FIGURES = st.builds(
    lambda caption, image, credit: Figure(caption, image, credit or None), TEXTS, STORED | ELSEWHERE, TEXTS
)


@settings(max_examples=60)
@given(figures=st.lists(FIGURES, min_size=1, max_size=30))
def test_picture_line_of_script_equals_that_of_forms(scripts: ClientScripts, figures: list[Figure]) -> None:
    """Each reads what the other has written as the same picture, whatever its words contain."""
    lines = [blocks_to_markdown([{**_plain(one), "type": "figure"}]) for one in figures]
    parsed = scripts.call("parsePictures", lines)
    shown = [(one["caption"], one["credit"] or None, one["image"]["alt"]) for one in parsed]
    assert shown == [(one.caption, one.credit, one.image.alt if one.image else "") for one in figures]
    for line, written in zip(lines, scripts.call("formatPictures", parsed), strict=True):
        assert api_blocks(written) == api_blocks(line)


def _plain(figure: Figure) -> dict[str, object]:
    image = figure.image
    assert image is not None
    focus = None if image.focus is None else {"x": image.focus.x, "y": image.focus.y}
    given = {"url": image.url, "alt": image.alt, "media": image.media, "focus": focus}
    return {"caption": figure.caption, "credit": figure.credit, "image": given}


def test_picture_line_that_is_no_picture_is_left_alone(scripts: ClientScripts) -> None:
    """What somebody types that is not one picture is not taken for one."""
    lines = ["", "chữ", "![a](b.jpg)", "![a](media:b) và chữ", "```block\n{\n```", "![a](media:b)\n\n![c](media:d)"]
    assert scripts.call("parsePictures", lines) == [None] * len(lines)
