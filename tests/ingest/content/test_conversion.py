"""Conversion of request models into content fields."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.ingest.content.article_models import CONTENT_FIELDS, ArticleIn, ArticlePatch
from services.ingest.content.conversion import ConvertedContent, convert, make_slug
from services.ingest.content.errors import InvalidContentError
from shared.articles import LIST_DEPTH_MAX, Author, Embed, File, Focus, Heading, Paragraph, Related, Rendition, Source


def converted(**fields: Any) -> ConvertedContent:
    given = {"site": "haihau", "section": "tin-tuc", "title": "Tựa", **fields}
    return convert(ArticleIn.model_validate(given), CONTENT_FIELDS)


def test_convert_html_and_markdown_become_blocks_with_warnings() -> None:
    """A text is HTML by default; removed tags are a warning for the editor."""
    html = converted(body="<h2>a</h2><p>b</p><video>c</video>")
    assert html.fields["body"][:2] == [Heading("a", 2), Paragraph("b")]
    assert [(one.field, one.message) for one in html.warnings] == [("body", "these tags were removed: video")]
    markdown = converted(body="## a\n\nb", body_format="markdown")
    assert (markdown.fields["body"], markdown.warnings) == ([Heading("a", 2), Paragraph("b")], [])


def test_convert_blocks_are_sanitised_and_resolved() -> None:
    """Inline HTML of blocks is sanitised; embeds are known by URL or by provider and ID."""
    body = [
        {"type": "paragraph", "html": "<b onclick=x>a</b><script>b</script>"},
        {"type": "embed", "url": "https://youtu.be/dQw4w9WgXcQ", "title": "V"},
        {"type": "embed", "provider": "vimeo", "id": "12345"},
        {"type": "file", "url": "/media/a.pdf", "name": "A"},
        {"type": "related", "article": "a-1", "number": 3},
        {"type": "related", "url": "/cho-phien-con-12.html"},
    ]
    assert converted(body=body).fields["body"] == [
        Paragraph("<strong>a</strong>"),
        Embed("youtube", "dQw4w9WgXcQ", "V"),
        Embed("vimeo", "12345", ""),
        File("/media/a.pdf", "A"),
        Related("a-1"),
        Related("", 12),
    ]


@pytest.mark.parametrize(
    ("block", "field"),
    [
        ({"type": "embed", "url": "https://evil.example/"}, "body.0.url"),
        ({"type": "paragraph", "html": "<div>" * 100}, "body.0.html"),
        ({"type": "quote", "paragraphs": ["a", "<div>" * 100]}, "body.0.paragraphs.1"),
        ({"type": "table", "rows": [[{"html": "a"}], [{}, {"html": "<i>" * 100}]]}, "body.0.rows.1.1.html"),
    ],
)
def test_convert_invalid_block_names_its_field(block: dict[str, Any], field: str) -> None:
    """The error of a block names the field as it was sent."""
    with pytest.raises(InvalidContentError) as raised:
        converted(body=[block])
    assert [error.field for error in raised.value.errors] == [field]


def test_convert_lists_deeper_than_limit_are_rejected() -> None:
    """Lists in blocks are rejected beyond the depth that HTML is flattened to."""
    item: dict[str, Any] = {"html": "x"}
    for _ in range(LIST_DEPTH_MAX):
        item = {"html": "x", "items": [item]}
    with pytest.raises(InvalidContentError) as raised:
        converted(body=[{"type": "list", "items": [item]}])
    (error,) = raised.value.errors
    assert (error.limit, error.size) == (LIST_DEPTH_MAX, LIST_DEPTH_MAX + 1)
    assert error.field == "body.0" + ".items.0" * LIST_DEPTH_MAX + ".items"


def test_convert_oversized_markup_is_an_error_of_the_body() -> None:
    """A body that is nested too deep has the limit and the size."""
    with pytest.raises(InvalidContentError) as raised:
        converted(body="<div>" * 100)
    (error,) = raised.value.errors
    assert (error.field, error.limit, error.size) == ("body", 60, 100)


def test_convert_tags_are_unique_without_diacritics() -> None:
    """Of tags that differ in case or diacritics only, the first spelling stays, in order."""
    fields = converted(tags=["Hải Hậu", "chợ", "hai hau", "CHỢ", "cho"], also_in=["a", "b", "a"]).fields
    assert (fields["tags"], fields["also_in"]) == (["Hải Hậu", "chợ"], ["a", "b"])


def test_convert_structs_and_images() -> None:
    """Authors, source and images become the structs of an article."""
    image = {
        "url": "/media/a.jpg",
        "renditions": [{"url": "/media/b.webp", "width": 320, "height": 200, "type": "image/webp"}],
        "focus": {"x": 0.1},
    }
    fields = converted(
        authors=["An", {"name": "Bình", "role": "PV"}], source={"name": "Báo"}, lead_image={"image": image}
    )
    assert fields.fields["authors"] == [Author("An"), Author("Bình", role="PV")]
    assert fields.fields["source"] == Source("Báo")
    figure = fields.fields["lead_image"]
    assert figure.image.renditions == [Rendition("/media/b.webp", 320, 200, "image/webp")]
    assert figure.image.focus == Focus(0.1, 0.5)


def test_convert_null_of_patch_is_the_default() -> None:
    """In a patch, null resets a field to its default; fields that are not named are left out."""
    patch = ArticlePatch.model_validate({"lead": None, "tags": None, "priority": None})
    assert convert(patch, ["lead", "tags", "priority"]).fields == {"lead": "", "tags": [], "priority": 5}


def test_article_model_rejects_invisible_and_inconsistent_values() -> None:
    """Unknown fields, control characters and a source system without external ID are rejected."""
    for fields in ({"nothing": 1}, {"lead": "a\0"}, {"source_system": "cms"}, {"publish_at": "2026-01-01T00:00:00"}):
        with pytest.raises(ValidationError):
            converted(**fields)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Đổi mới phương thức lãnh đạo", "doi-moi-phuong-thuc-lanh-dao"),
        ("Đường Đê", "duong-de"),
        ("!!!", "bai-viet"),
        ("một " * 40, "-".join(["mot"] * 20)),
    ],
)
def test_make_slug_is_ascii_and_cut_at_words(title: str, slug: str) -> None:
    """đ becomes d, diacritics are removed, words stay whole, and a title without letters has a slug too."""
    assert make_slug(title) == slug
