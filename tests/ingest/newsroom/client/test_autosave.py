"""What is kept of a text while it is saved."""

from tests.ingest.newsroom.client.scripts import ClientScripts


def test_what_is_typed_while_a_text_is_saved_is_not_forgotten_with_it(scripts: ClientScripts) -> None:
    """The unsaved text that is removed after a save is the one that was saved, and none that was stored since."""
    first, second, removed = scripts.call("changedWhileSaved")
    assert [one["method"] for one in (first, second, removed)] == ["PUT", "PUT", "DELETE"]
    assert removed["path"] == f"/articles/a/autosave?tab=t&sequence={first['sequence']}"
    assert first["sequence"] < second["sequence"]
