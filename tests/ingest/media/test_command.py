"""`presstally ingest media crop`."""

import asyncio
import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from services.ingest.auth.actors import Actor
from services.ingest.media import command
from services.ingest.media.library import stored_item
from shared.articles import CROP_RATIOS

PIXEL = (480, 480)
ROOT = Path(__file__).parents[3]


def photo(seed: int = 1) -> bytes:
    """Return an image whose parts all differ."""
    output = io.BytesIO()
    image = Picture.linear_gradient("L").resize(PIXEL)
    Picture.merge("RGB", (image, image.rotate(90), image.point(lambda value: (value * seed) % 256))).save(output, "PNG")
    return output.getvalue()


async def uploaded(api: Any, query: str = "", seed: int = 1) -> dict[str, Any]:
    response = await api.call("POST", f"/media{query}", photo(seed))
    assert response.status == 201, response.body
    return dict(response.json())


async def published(api: Any, **fields: Any) -> dict[str, Any]:
    draft = await api.create("Bài có ảnh", **fields)
    response = await api.call("POST", f"/articles/{draft['id']}/publish", {"version": 1}, "admin")
    assert response.status == 200, response.body
    return dict(response.json())


def figure(item: dict[str, Any], **image: Any) -> dict[str, Any]:
    return {"type": "figure", "caption": "Ảnh", "image": {"media": item["id"], "alt": "Ảnh", **image}}


async def test_command_crops_images_of_before_crops_were_made(api: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Images without crops and the articles that show them get crops; a second run changes nothing."""
    item = await uploaded(api)
    article = await published(api, lead_image=figure(item))
    pool, media = api.context.pool, api.context.media
    await pool.execute("DELETE FROM ingest.media_crops")
    await pool.execute(
        "UPDATE ingest.articles SET content = jsonb_set(content, '{lead_image,image,crops}', '[]'),"
        " live = jsonb_set(live, '{lead_image,image,crops}', '[]')"
    )
    assert await command._crop(pool, media, ["haihau"], Actor("An")) == 0
    now = (await api.call("GET", f"/articles/{article['id']}", scope=None)).json()
    assert now["lead_image"]["image"]["crops"] == item["crops"]
    assert await command._crop(pool, media, ["haihau"], Actor("An")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "1 images: 1 cropped; 1 articles have new crops",
        "1 images: 0 cropped; 0 articles have new crops",
    ]


async def test_command_reports_images_whose_original_is_lost(api: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """An image without its original is reported and does not stop the others."""
    first, second = await uploaded(api, "?file_name=mat.png"), await uploaded(api, seed=3)
    pool, media = api.context.pool, api.context.media
    await pool.execute("DELETE FROM ingest.media_crops")
    await media.store.delete_async(f"originals/{first['id']}")
    assert await command._crop(pool, media, ["haihau"], Actor("An")) == 1
    assert "not cropped: haihau, mat.png: The original is no longer" in capsys.readouterr().out
    found = await stored_item(pool, second["id"], ["haihau"])
    assert found is not None
    assert len(found.crops) == len(CROP_RATIOS)


async def test_command_as_a_process_cuts_the_crops_of_a_site(api: Any, database: str, tmp_path: Path) -> None:
    """The command finds the database and the media store by the settings, and refuses a site that is not configured."""
    item = await uploaded(api)
    await api.context.pool.execute("DELETE FROM ingest.media_crops")
    settings = {"DATABASE_URL": database, "KAFKA_BOOTSTRAP": "127.0.0.1:1", "PRESSTALLY_MEDIA": str(tmp_path / "media")}

    async def run(*words: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "services.ingest", "media", "crop", *words],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    code, output = await run("--site", "haihau", "--who", "An")
    assert (code, "1 images: 1 cropped; 0 articles have new crops" in output) == (0, True), output
    assert (await api.call("GET", f"/media/{item['id']}", scope="read")).json()["crops"] == item["crops"]
    code, output = await run("--site", "nowhere")
    assert (code != 0, "unknown site" in output) == (True, True), output
