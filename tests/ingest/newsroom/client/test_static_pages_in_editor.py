"""A static page → its form → the editor → its form: what nobody has touched stays as it is stored."""

import json
import re
from typing import Any

import msgspec
import pytest

from services.ingest.newsroom.markdown import blocks_to_markdown, markdown_to_blocks, sent_blocks
from services.ingest.newsroom.ready_pages import READY_PAGES
from tests.ingest.imports.samples import DATA, read
from tests.ingest.newsroom.client.scripts import ClientScripts
from tests.ingest.newsroom.conftest import Pages

EVERYTHING = """\
## Tòa soạn

Báo **Hải Hậu** và *phụ trương*, H<sub>2</sub>O, [liên hệ](/trang/lien-he.html "Gọi cho chúng tôi")\\
dòng hai.

1. Tiếp dân
    - thứ Ba
    - thứ Năm
2. Đơn thư

> Nhanh, đúng, đủ.
>
> — Tổng biên tập

<table>
<caption>Danh bạ</caption>
<tr><th>Xã</th><th colspan="2">Điện thoại</th></tr>
<tr><td rowspan="2">Hải Bắc</td><td>0228</td><td>1</td></tr>
<tr><td>0229</td><td></td></tr>
</table>

![Trụ sở](https://a.example/1.jpg "Trụ sở \\"mới\\""){credit="Lan"}

https://www.youtube.com/watch?v=dQw4w9WgXcQ"""


def assert_untouched(scripts: ClientScripts, body: list[Any]) -> None:
    """Check that both forms of a body are the same after the editor."""
    plain = msgspec.to_builtins(body)
    edited = scripts.call("normalizedBlocks", scripts.call("roundTrip", plain))
    assert sent_blocks(edited) == sent_blocks(scripts.call("normalizedBlocks", plain))
    assert blocks_to_markdown(edited) == blocks_to_markdown(scripts.call("normalizedBlocks", plain))


async def test_page_with_all_kinds_of_blocks_is_not_changed_by_the_editor(
    visit: Any, pages: Pages, scripts: ClientScripts
) -> None:
    """What the editor has read from the form, sent back, stores no version; without scripts the text is as it was."""
    await pages.api.context.structures.step()
    editor = await visit("publish:haihau", name="Minh")
    await editor.open("trang/moi")
    shown = await editor.submit("page", title="Giới thiệu", body=EVERYTHING)
    before = dict(shown.form("page")["fields"])
    found = re.search(r'<script type="application/json" id="stored">(.*?)</script>', shown.html, re.DOTALL)
    assert found
    stored = json.loads(found[1])
    assert {one["type"] for one in stored["body"]} == {
        *("heading", "paragraph", "list", "quote", "table", "figure", "embed"),
    }
    blocks = scripts.call("normalizedBlocks", scripts.call("roundTrip", stored["body"]))
    shown = await editor.submit("page", body=json.dumps(blocks), body_format="blocks")
    after = dict(shown.form("page")["fields"])
    assert (after["version"], after["body"]) == (before["version"], before["body"])


@pytest.mark.parametrize("ready", READY_PAGES, ids=lambda ready: ready.key)
def test_ready_made_page_is_the_same_after_the_editor(scripts: ClientScripts, ready: Any) -> None:
    """The beginning of an organisation or contact page has the same text in the editor and as Markdown."""
    blocks = markdown_to_blocks(ready.body)
    assert blocks
    assert_untouched(scripts, blocks)


@pytest.mark.parametrize("name", sorted(file.name for file in DATA.iterdir() if file.is_file()))
def test_form_of_import_samples_is_the_same_after_the_editor(scripts: ClientScripts, name: str) -> None:
    """The text of any article of the importers' samples, as a page, is the same in both forms."""
    for item in read(name):
        if body := getattr(item, "body", None):
            assert_untouched(scripts, body)
