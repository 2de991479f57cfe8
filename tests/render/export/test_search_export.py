"""The search of a static export has the public articles of a generation."""

import json
from typing import Any

import asyncpg

from services.render.crawl.all_pages import BulkPageReader
from services.render.export.search_export import search_documents, search_page
from services.render.export.search_files import FOLDER, MANIFEST
from services.render.queries import GENERATIONS

URL = "https://haihau.example"


async def test_search_documents_have_public_articles_in_order(portal: Any, database: str) -> None:
    """Articles are there from the oldest on, killed ones are not; the page names the manifest."""
    await portal.add(2, title="Chợ Cồn")
    await portal.add(1, title="Chợ phiên")
    await portal.add(3)
    await portal.change(3, state="killed")
    connection = await asyncpg.connect(database, server_settings={"role": "presstally_render"})
    try:
        reader = BulkPageReader(connection, portal.site, GENERATIONS["render"])
        files = {url: document.body async for url, document in search_documents(reader)}
    finally:
        await connection.close()
    manifest = json.loads(files[MANIFEST])
    texts = json.loads(files[f"{FOLDER}{manifest['texts'][0]}.json"])
    assert [one[1] for one in texts] == ["Chợ phiên", "Chợ Cồn"]
    words = json.loads(files[f"{FOLDER}{manifest['words'][0]}.json"])
    assert words["cho"] == {"chợ": [3, 7]}
    assert words["cho phien"] == [3]
    assert MANIFEST in search_page(reader, URL).body.decode()
