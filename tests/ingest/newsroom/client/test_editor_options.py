"""The pages with an editor: what one of them offers, all of them do."""

import re

from tests.ingest.newsroom.client.scripts import SOURCE

NAMED = re.compile(r"^ +(?:(\w+)[:,]|\.\.\.(\w+)\()", re.MULTILINE)


def test_pages_with_an_editor_hand_it_the_same_options() -> None:
    """Uploads, the library and cards come from one place; a page adds only what is its own."""
    common = set(
        re.findall(r"^    (\w+)[:,]", (SOURCE / "src/write/editor_options.js").read_text("utf-8"), re.MULTILINE)
    )
    assert common == {"sendPicture", "sendFile", "notify", "chooseStored", "articles"}
    pages = {
        file.name: given[1]
        for file in SOURCE.rglob("src/**/*.js")
        if (given := re.search(r"new Editor\([^{]*\{\n(.*?)\n    \}\);", file.read_text("utf-8"), re.DOTALL))
    }
    assert {"writing_page.js", "live.js"} <= pages.keys()
    for name, given in pages.items():
        own = {one or spread for one, spread in NAMED.findall(given)}
        assert "editorOptions" in own, name
        assert own - {"editorOptions"} <= {"onChange", "comment"}, name
