"""`/banners`: replaced as a whole, with pictures of the library, and sent to the portal."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from PIL import Image as Picture

from services.ingest.articles.library_recovery import shown_by
from shared.site_structure import SiteStructure

UNTIL = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture
async def picture(api: Any) -> str:
    """The ID of a picture of the library."""
    output = io.BytesIO()
    Picture.linear_gradient("L").resize((600, 200)).save(output, "PNG")
    made = await api.call("POST", "/media", output.getvalue(), content_type="image/png")
    assert made.status == 201, made.body
    return str(made.json()["id"])


async def put(api: Any, *items: Any, if_match: str = "*", scope: str = "publish") -> Any:
    return await api.call("PUT", "/banners", {"items": list(items)}, scope, if_match=if_match)


async def test_banners_are_replaced_audited_and_sent(api: Any, picture: str) -> None:
    """Each gets an ID and its picture's data; the topic has them; a restore brings their pictures back."""
    empty = await api.call("GET", "/banners", scope="read")
    assert (empty.headers["etag"], empty.json()["items"]) == ('"0"', [])
    sent = {"place": "foot", "image": {"media": picture, "alt": "Cổng"}, "url": "https://x.vn/", "until": UNTIL}
    later = {"place": "top", "image": {"media": picture, "alt": "Tết"}, "starts_at": UNTIL, "is_advertisement": True}
    made = await put(api, sent, later, if_match='"0"')
    assert made.status == 200, made.body
    first, second = made.json()["items"]
    assert (first["image"]["width"], first["image"]["url"][:7], first["reason"]) == (600, "/media/", None)
    assert (second["reason"], second["url"]) == ("not_yet", "")
    rows = await api.context.pool.fetch("SELECT value FROM ingest.outbox WHERE topic = 'site-structure' ORDER BY id")
    structure = msgspec.json.decode(rows[-1]["value"], type=SiteStructure)
    assert [(one.id, one.place) for one in structure.banners.items] == [(first["id"], "foot"), (second["id"], "top")]
    assert [one.media for one in shown_by(structure) if hasattr(one, "alt")] == [picture, picture]
    kept = {**sent, "id": first["id"]}
    assert (await put(api, kept, if_match='"0"')).status == 412
    await api.call("PUT", "/menus/main", {"items": [{"kind": "home"}]}, "publish", if_match="*")
    again = await put(api, kept, if_match=made.headers["etag"])
    assert (again.status, [one["id"] for one in again.json()["items"]]) == (200, [first["id"]])
    assert (await api.call("PUT", "/banners", {"items": []}, "publish")).status == 428
    assert (await put(api, kept, scope="write")).status == 403
    (entry, *_) = (await api.call("GET", "/audit?kind=banners", scope="admin")).json()["entries"]
    assert [one[1] for one in entry["details"]["before"]] == ["Cổng", "Tết"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"place": "left"}, "items.0.place"),
        ({"image": {"media": "0" * 64, "alt": "x"}}, "items.0.image.media"),
        ({"image": {"url": "https://x.vn/a.jpg", "alt": "x"}}, "items.0.image.media"),
        ({"image": None}, "items.0.image"),
        ({"alt": "x"}, "items.0.alt"),
        ({"url": "javascript:alert(1)"}, "items.0.url"),
        ({"url": "http://x.vn/"}, "items.0.url"),
        ({"until": "2020-01-01T00:00:00Z"}, "items.0.until"),
        ({"id": "a b"}, "items.0.id"),
    ],
)
async def test_hostile_banners_are_refused_with_their_field(
    api: Any, picture: str, fields: dict[str, Any], field: str
) -> None:
    """Pictures of the site's own library, safe links, and times to come."""
    refused = await put(api, {"place": "top", "image": {"media": picture, "alt": "x"}, **fields})
    assert refused.status == 422
    assert field in [one["field"] for one in refused.json()["errors"]]
