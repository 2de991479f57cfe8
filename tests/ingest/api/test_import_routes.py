"""Imports over the API: one line of JSON for each item."""

import json
from typing import Any

BULK = b"""{"external_id": "1", "title": "a", "body": "x"}
{"title": ""}
{"external_id": "2", "title": "b", "body": "y"}
"""


async def lines(api: Any, query: str, content: bytes, scope: str = "write") -> list[dict[str, Any]]:
    response = await api.call("POST", f"/imports?site=haihau&section=tin-tuc{query}", content, scope)
    assert (response.status, response.headers["content-type"]) == (200, "application/x-ndjson"), response.body
    return [json.loads(line) for line in response.body.splitlines()]


async def test_import_has_a_line_for_each_item_in_order(api: Any) -> None:
    """A failure does not stop the rest, and sending the file again changes nothing."""
    first, again = await lines(api, "", BULK), await lines(api, "", BULK)
    assert [(one["place"], one["status"]) for one in first] == [
        ("line 1", "created"),
        ("line 2", "failed"),
        ("line 3", "created"),
    ]
    assert [one["status"] for one in again] == ["unchanged", "failed", "unchanged"]
    assert [one.get("article") for one in again] == [one.get("article") for one in first]


async def test_import_damaged_file_ends_with_a_failed_line(api: Any) -> None:
    """The response has begun, so a damaged file is reported in its last line."""
    (line,) = await lines(api, "&format=feed", b"<rss><channel>")
    assert (line["place"], line["status"]) == ("file", "failed")
    assert "not well-formed XML" in line["reason"]


async def test_import_dry_run_writes_nothing(api: Any) -> None:
    """A dry run reports the same statuses without articles."""
    found = await lines(api, "&dry_run=true", BULK)
    assert [one["status"] for one in found] == ["created", "failed", "created"]
    assert await api.context.pool.fetchval("SELECT count(*) FROM ingest.articles") == 0


async def test_import_with_invalid_query_is_rejected(api: Any) -> None:
    """Scope, site, section and format are checked before the file is read."""
    cases: list[Any] = [
        ("site=haihau", "read", 403),
        ("site=haihau&publish=true", "publish", 403),
        ("site=haihau&with_counter=true", "write", 403),
        ("site=nowhere", "write", 404),
        ("site=haihau&section=nowhere", "write", 422),
        ("site=haihau&format=pptx", "write", 422),
        ("site=haihau&file_name=a.docx", "write", 422),
        ("", "write", 422),
    ]
    for query, scope, status in cases:
        assert (await api.call("POST", f"/imports?{query}", BULK, scope)).status == status
