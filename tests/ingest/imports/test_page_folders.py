"""Front matter that folders give to their pages."""

import json
from pathlib import Path

import pytest

from services.ingest.imports.item import FormatError, ReadContext
from services.ingest.imports.page_folders import FILE_CHARACTERS_MAX, PageFolders
from services.ingest.imports.readers.markdown_ndjson import read_markdown
from tests.ingest.imports.samples import outcome

PAGE = "---\ntitle: Tựa\n---\nChữ.\n"


def state(root: Path, name: str, text: str = PAGE) -> str:
    """Return how a page of a folder is imported."""
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    defaults = PageFolders().defaults(file, root)
    return outcome(next(read_markdown(file.read_bytes(), name, ReadContext(defaults=defaults))))


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_defaults_cascade_of_hugo_makes_pages_drafts(tmp_path: Path) -> None:
    """Pages below a section have what it cascades, unless they or a nearer folder say otherwise."""
    write(tmp_path / "kin/_index.md", "---\ncascade:\n  draft: true\n---\n")
    assert state(tmp_path, "kin/a.md") == "draft"
    assert state(tmp_path, "kin/sau/b.md") == "draft"
    assert state(tmp_path, "mo/c.md") == "public"
    assert state(tmp_path, "kin/d.md", "---\ntitle: D\ndraft: false\n---\nChữ.") == "public"
    write(tmp_path / "kin/mo/_index.md", "+++\n[cascade]\ndraft = false\n+++\n")
    assert state(tmp_path, "kin/mo/e.md") == "public"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("path: /kin/**", "draft"),
        ("path: '{/kin/**,/x/**}'", "draft"),
        ("path: /khac/**", "public"),
        ("kind: page", "draft"),
        ("kind: section", "public"),
        ("kind: '{page,section}'", "draft"),
        ("environment: production", "draft"),
    ],
)
def test_defaults_cascade_applies_to_its_targets(tmp_path: Path, target: str, expected: str) -> None:
    """A cascade with a target applies to the pages that it names; what is unknown about it counts as applying."""
    write(tmp_path / "_index.md", f"---\ncascade:\n- target:\n    {target}\n  draft: true\n---\n")
    assert state(tmp_path, "kin/a.md") == expected


def test_defaults_of_configurations_apply_to_pages(tmp_path: Path) -> None:
    """Hugo's configuration, Jekyll's defaults and Eleventy's data files give their values to pages."""
    write(tmp_path / "hugo/hugo.toml", "[cascade]\ndraft = true\n")
    assert state(tmp_path / "hugo", "content/a.md") == "draft"
    scopes = ("scope: {path: '', type: drafts}", "scope: {path: kin}")
    jekyll = "defaults:\n" + "".join(f"- {scope}\n  values: {{published: false}}\n" for scope in scopes)
    write(tmp_path / "jekyll/_config.yml", jekyll)
    assert state(tmp_path / "jekyll", "_posts/2024-01-01-a.md") == "public"
    assert state(tmp_path / "jekyll", "kin/_posts/2024-01-01-a.md") == "draft"
    write(tmp_path / "eleventy/posts/posts.json", '{"eleventyExcludeFromCollections": true}')
    assert state(tmp_path / "eleventy", "posts/a.md") == "draft"


def test_defaults_of_a_page_named_alone_are_those_of_its_site(tmp_path: Path) -> None:
    """A page that is named by itself has what the folders above it cascade."""
    write(tmp_path / "content/_index.md", "---\ncascade:\n  draft: true\n---\n")
    write(tmp_path / "content/tin/_index.md", "---\ntitle: Tin\n---\n")
    assert state(tmp_path / "content/tin", "a.md") == "draft"


def test_defaults_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    """A page of a folder whose defaults are unreadable may be a draft, so that it is refused."""
    write(tmp_path / "_index.md", "---\ncascade: {draft: [\n---\n")
    write(tmp_path / "a.md", PAGE)
    with pytest.raises(FormatError, match=r"_index\.md cannot be read"):
        PageFolders().defaults(tmp_path / "a.md", tmp_path)


def test_large_defaults_are_not_ignored(tmp_path: Path) -> None:
    """A section's page may have a long text after its fields; a data file that is too large to be read is an error."""
    write(tmp_path / "_index.md", f"---\ncascade:\n  draft: true\n---\n{'Chữ. ' * FILE_CHARACTERS_MAX}")
    assert state(tmp_path, "a.md") == "draft"
    write(tmp_path / "kin/kin.json", json.dumps({"draft": True, "x": "x" * FILE_CHARACTERS_MAX}))
    with pytest.raises(FormatError, match=r"kin\.json cannot be read: it has more than 262,144 characters"):
        state(tmp_path, "kin/b.md")
