"""Words for the actions of the audit log."""

import ast
from collections.abc import Iterator
from pathlib import Path

from services.ingest.articles.transitions import TRANSITIONS
from services.ingest.newsroom.audit_words import action_words, kind_word

SERVICE = Path(__file__).parents[3] / "services" / "ingest"


def recorded() -> Iterator[tuple[str, str]]:
    """Find the literal actions and kinds of all calls that write an entry of the audit log."""
    for file in SERVICE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or len(node.args) < 3:
                continue
            kinds = [one.value for one in node.keywords if one.arg == "kind"]
            action = node.args[2]
            if kinds and isinstance(kinds[0], ast.Constant) and isinstance(action, ast.Constant):
                yield str(action.value), str(kinds[0].value)


def test_every_recorded_action_and_kind_has_a_vietnamese_name() -> None:
    """Also those of the workflow, whose entries are the revisions of articles."""
    found = {*recorded(), *((name, "article") for name in TRANSITIONS)}
    assert len(found) > 20
    unnamed = [one for one in found if action_words(*one, "vi") == one[0] or kind_word(one[1], "vi") == one[1]]
    assert not unnamed


def test_rename_of_an_article_is_one_of_its_address() -> None:
    """A person or a tag is renamed; an unknown action stays as it is."""
    assert action_words("rename", "article", "en") == "changed the address"
    assert action_words("rename", "tag", "en") == "renamed"
    assert [action_words("create", kind, "vi") for kind in ("article", "author")] == ["tạo bài", "tạo"]
    assert action_words("publish", "article", "vi") == "đăng"
    assert (action_words("new", "tag", "vi"), kind_word("new", "vi")) == ("new", "new")
