"""Photos of authors come from the media library, with their renditions."""

import io
from typing import Any

from PIL import Image


async def test_photo_of_an_author_has_the_renditions_of_the_library(api: Any) -> None:
    """The upload's ID is enough; another site's image would not be found."""
    content = io.BytesIO()
    Image.new("RGB", (400, 500), (9, 8, 7)).save(content, "PNG")
    upload = await api.call("POST", "/media", content.getvalue(), "write", content_type="image/png")
    assert upload.status == 201, upload.body
    sent = {"name": "Lan", "photo": {"media": upload.json()["id"], "alt": "Chị Lan"}}
    made = await api.call("POST", "/authors", sent, "publish")
    assert made.status == 201, made.body
    photo = made.json()["photo"]
    assert (photo["width"], photo["height"], photo["alt"]) == (400, 500, "Chị Lan")
    assert photo["url"].startswith("/media/")
    none = await api.call("PATCH", "/authors/lan", {"photo": None}, "publish", if_match=made.headers["etag"])
    assert none.json()["photo"] is None
