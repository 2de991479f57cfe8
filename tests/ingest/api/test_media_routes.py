"""Routes of the media library."""

import io
from typing import Any

import pytest
from PIL import Image


def picture(color: tuple[int, int, int]) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (20, 10), color).save(output, "PNG")
    return output.getvalue()


async def test_list_media_empty_library_is_an_empty_page(api: Any) -> None:
    """Without images the list is empty and has no next page."""
    response = await api.call("GET", "/media?limit=1", scope="read")
    assert (response.status, response.json()) == (200, {"media": [], "next": None})


async def test_list_media_pages_have_each_image_once(api: Any) -> None:
    """Pages list all images once, newest first; the last page has no cursor."""
    ids = [(await api.call("POST", "/media", picture((n, 0, 0)))).json()["id"] for n in range(3)]
    first = (await api.call("GET", "/media?limit=2", scope="read")).json()
    second = (await api.call("GET", f"/media?limit=2&cursor={first['next']}", scope="read")).json()
    assert [one["id"] for one in (*first["media"], *second["media"])] == ids[::-1]
    assert second["next"] is None


@pytest.mark.parametrize("cursor", ["x", "_", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00_" + "0" * 64, "x_x"])
async def test_list_media_invalid_cursor_is_422(api: Any, cursor: str) -> None:
    """A cursor that this API did not return is rejected."""
    response = await api.call("GET", f"/media?cursor={cursor}", scope="read")
    assert (response.status, response.json()["detail"]) == (422, "Invalid cursor.")
