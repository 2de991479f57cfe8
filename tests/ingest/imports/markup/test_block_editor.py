"""Blocks of WordPress's editor that are stored without their content."""

import pytest

from services.ingest.imports.markup.block_editor import MEMBERS_ONLY, with_dynamic_blocks
from services.ingest.imports.warnings import ItemWarning


def test_with_dynamic_blocks_inserts_what_the_export_has() -> None:
    """Reusable blocks, footnotes and addresses are inserted; what cannot be known is reported."""
    warnings: list[ItemWarning] = []
    text = (
        '<!-- wp:block {"ref":5} /--><!-- wp:footnotes /--><!-- wp:embed {"url":"https://x.example/1"} /-->'
        '<!-- wp:block {"ref":6} /--><!-- wp:latest-posts /--><!-- wp:spacer /-->'
    )
    found = with_dynamic_blocks(text, {"5": "<p>Chung</p>"}, '[{"id":"a","content":"Chân trang"}]', warnings)
    assert found == "<p>Chung</p><ol><li>Chân trang</li></ol><p>https://x.example/1</p>"
    assert [one.message.split(" were")[0] for one in warnings] == ["1 blocks block", "1 blocks latest-posts"]


@pytest.mark.parametrize("footnotes", ["", "{", "5", '["a"]'])
def test_with_dynamic_blocks_damaged_footnotes_cost_themselves(footnotes: str) -> None:
    """Footnotes that cannot be read leave the text as it is."""
    assert with_dynamic_blocks("a<!-- wp:footnotes /-->", {}, footnotes, []) == "a"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<!-- wp:jetpack/paywall /-->", True),
        ("<!-- wp:premium-content/container -->", True),
        ("a [members_only]b[/members_only]", True),
        ('[rcp_restrict level="1"]b[/rcp_restrict]', True),
        ("[[restrict]] là một mã", False),
        ("[gallery] [caption]", False),
        ("Private, [sic] premium", False),
    ],
)
def test_members_only_part_is_found(text: str, expected: bool) -> None:
    """A part for members would be public text otherwise."""
    assert (MEMBERS_ONLY.search(text) is not None) is expected
