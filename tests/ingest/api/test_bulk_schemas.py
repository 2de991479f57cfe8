"""Response bodies of bulk changes."""

import msgspec

from services.ingest.api.bulk_schemas import BulkItemResult, BulkResult


def test_bulk_result_has_only_what_is_known_of_an_article() -> None:
    """An article that could not be changed has its error, and no version."""
    results = [BulkItemResult("a", 200, 4, "draft", changed=True), BulkItemResult("b", 404, error="not found")]
    sent = msgspec.json.decode(msgspec.json.encode(BulkResult(results, 1, 1)))
    assert sent["results"] == [
        {"id": "a", "status": 200, "version": 4, "state": "draft", "changed": True},
        {"id": "b", "status": 404, "error": "not found"},
    ]
