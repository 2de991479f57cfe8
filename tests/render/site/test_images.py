"""Public images of the media store."""

from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import S3Store
from starlette.requests import Request

from services.render.site.images import Images
from shared.http.problems import Problem
from shared.object_store import PUBLIC, open_store

NAME = "0" * 32 + ".webp"


def request(name: str, **headers: str) -> Request:
    named = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "path_params": {"name": name}, "headers": named})


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """A media store in a folder."""
    return open_store(str(tmp_path / "media"))


async def test_image_is_served_with_its_type_and_cached_as_immutable(store: Any) -> None:
    """A stored image has its media type, an entity tag, and headers that let any page show it."""
    await obstore.put_async(store, PUBLIC + NAME, b"picture")
    response = await Images(store).image(request(NAME))
    assert (response.status_code, response.body) == (200, b"picture")
    assert (response.headers["content-type"], response.headers["etag"]) == ("image/webp", f'"{NAME}"')
    assert "immutable" in response.headers["cache-control"]
    assert "sandbox" in response.headers["content-security-policy"]


async def test_image_with_known_etag_is_304_without_the_store(tmp_path: Path) -> None:
    """A name never changes its content, so the store is not read to confirm it."""
    response = await Images(open_store(str(tmp_path))).image(request(NAME, if_none_match=f'"{NAME}"'))
    assert (response.status_code, response.body) == (304, b"")


@pytest.mark.parametrize("name", ["x.webp", "../secret", NAME + ".exe", NAME.replace("webp", "svg"), ""])
async def test_image_with_another_name_is_404(store: Any, name: str) -> None:
    """Only names that the media store gives are looked up."""
    with pytest.raises(Problem) as missing:
        await Images(store).image(request(name))
    assert missing.value.status == 404


async def test_image_not_stored_yet_is_404_and_not_cacheable(store: Any) -> None:
    """A missing image may be uploaded soon, so its absence is not cached."""
    with pytest.raises(Problem) as missing:
        await Images(store).image(request(NAME))
    assert missing.value.status == 404
    assert "immutable" not in str(missing.value.headers)


async def test_image_of_unavailable_store_is_503_with_retry_after() -> None:
    """A store that cannot be reached is 503, and the client is asked to come back."""
    store = S3Store(
        "bucket",
        endpoint="http://127.0.0.1:9",
        region="x",
        access_key_id="x",
        secret_access_key="x",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    with pytest.raises(Problem) as failed:
        await Images(store).image(request(NAME))
    assert (failed.value.status, failed.value.headers["retry-after"]) == (503, "5")
