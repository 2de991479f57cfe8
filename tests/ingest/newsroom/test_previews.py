"""The button that shows what somebody writes in the theme of its site."""

from typing import Any

from tests.ingest.newsroom.conftest import Pages


async def test_page_is_saved_and_shown_in_its_theme_before_it_is_published(visit: Any, pages: Pages) -> None:
    """The button of the preview keeps what was typed as a draft, and leads to a link that shows it."""
    await pages.api.context.structures.step()
    editor = await visit("publish:haihau")
    shown = await editor.open("trang/moi")
    assert ("action", "preview") not in shown.form("page")["buttons"]
    await editor.submit("page", title="Giới thiệu", body="Một.", action="save")
    page = editor.at.partition("?")[0].rpartition("/")[2]
    assert ("action", "preview") in editor.last.form("page")["buttons"]
    await editor.submit("page", body="Hai.", action="preview")
    signed = editor.at.removeprefix("https://haihau.example/xem-truoc/")
    found = await pages.api.context.previews.show(signed)
    assert found is not None
    assert (found.page.id, [block.html for block in found.page.body]) == (page, ["Hai."])
    stored = (await pages.api.call("GET", f"/pages/{page}", None, "read")).json()
    assert (stored["state"], stored["body"][0]["html"]) == ("draft", "Hai.")
