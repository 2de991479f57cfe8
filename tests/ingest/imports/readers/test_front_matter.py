"""Front matter of Jekyll, Hugo, Zola and Pelican, in YAML, TOML, JSON and lines."""

import pytest

from services.ingest.imports.readers.front_matter import split_front_matter
from tests.ingest.imports.samples import outcome, read_content


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.md", "---\ntitle: A\npublished: false\n---\nx", "draft"),
        ("a.md", "---\ntitle: A\nDraft: yes\n---\nx", "draft"),
        ("a.md", "---\ntitle: A\ndraft: maybe\n---\nx", "draft"),
        ("a.md", "---\ntitle: A\npublished: 2030-01-01\n---\nx", "scheduled"),
        ("a.md", "+++\ntitle = 'A'\ndraft = true\n+++\nx", "draft"),
        ("a.md", "+++\ntitle = 'A'\nexpiryDate = 2020-01-01\n+++\nx", "draft"),
        ("a.md", '{"title": "A", "publishDate": "2030-01-01"}\nx', "scheduled"),
        ("a.md", "Title: A\nStatus: hidden\n\nx", "draft"),
        ("_drafts/a.md", "---\ntitle: A\n---\nx", "draft"),
        ("a/_index.md", "---\ntitle: A\n---\nx", "left_out"),
        ("a.md", "---\ntitle: A\nparams: {draft: true}\n---\nx", "draft"),
        ("a.md", "---\ntitle: A\nstate: draft\n---\nx", "draft"),
        ("a.md", "---\ntitle: A\npublish: false\n---\nx", "draft"),
        ("a.md", "---\ntitle: A\npublished_at: 2036-01-01\n---\nx", "scheduled"),
        ("a.md", "---\ntitle: A\nbuild: {list: never}\n---\nx", "draft"),
    ],
)
def test_read_markdown_state(name: str, content: str, expected: str) -> None:
    """Each generator's own way to say that a page is not public is understood."""
    (item,) = read_content(name, content.encode())
    assert outcome(item) == expected, item


def test_split_front_matter_values_stay_text() -> None:
    """Names are in lower case, values of YAML are text, and a value may have a colon."""
    front = split_front_matter("---\nTitle: No\nnote: Chợ: mở lại\n---\nx\n")
    assert (front.fields, front.text, front.body_line) == ({"title": "No", "note": "Chợ: mở lại"}, "x\n", 5)
    assert split_front_matter("Title: A\nTags: a, b\n\nx").fields == {"title": "A", "tags": ["a", "b"]}
    assert split_front_matter("Không có trường").fields == {}
