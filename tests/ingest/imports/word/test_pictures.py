"""Documents with pictures over the API: stored once, published, and left out where they are refused."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import asyncpg

from tests.ingest.imports.word.documents import drawing, huge_png, p, png, word

ROOT = Path(__file__).parents[4]


async def imported(api: Any, content: bytes, query: str = "") -> Any:
    path = f"/imports?site=haihau&section=tin-tuc&file_name=bai.docx{query}"
    response = await api.call("POST", path, content, content_type="application/octet-stream")
    assert response.status == 200, response.body
    return json.loads(response.body)


async def test_pictures_of_a_document_are_in_the_media_store(api: Any) -> None:
    """The draft has the picture with its renditions and crops; the same document again changes nothing."""
    text = "Sáng nay chợ phiên Cồn họp trở lại sau tám tháng, bà con các xã ven biển về đông đủ từ tờ mờ sáng. " * 3
    content = word(p("Chợ Cồn", "Title"), p(text), p("Hai."), p(content=drawing("rImg1")), pictures={"rImg1": png()})
    result = await imported(api, content)
    assert (result["status"], result["state"], result["title"]) == ("created", "draft", "Chợ Cồn")
    article = (await api.call("GET", f"/articles/{result['article']}", scope="read")).json()
    assert (article["date_precision"], article["published_at"]) == ("exact", None)
    image = article["body"][2]["image"]
    assert image["url"].startswith("/media/")
    assert (len(image["crops"]), image["alt"]) == (3, "Cổng chợ")
    assert [one["file_name"] for one in (await api.call("GET", "/media")).json()["media"]] == ["bai.docx, 1"]
    again = await imported(api, content)
    assert (again["status"], again["article"]) == ("unchanged", result["article"])
    body = (p(text + "Thêm một câu."), p("Hai."), p(content=drawing("rImg1")))
    changed = word(p("Chợ Cồn", "Title"), *body, pictures={"rImg1": png()})
    assert (await imported(api, changed))["status"] == "changed"
    assert len((await api.call("GET", "/media")).json()["media"]) == 1


async def test_refused_picture_is_left_out_of_the_draft(api: Any) -> None:
    """A picture that cannot be decoded is reported, and the rest of the document is imported."""
    content = word(p("Tựa", "Title"), p("Thân", content=drawing("rImg1")), pictures={"rImg1": huge_png()})
    result = await imported(api, content)
    assert result["status"] == "created"
    assert any("a picture was left out: The file" in one["message"] for one in result["warnings"]), result
    article = (await api.call("GET", f"/articles/{result['article']}", scope="read")).json()
    assert [block["type"] for block in article["body"]] == ["paragraph"]


async def test_dry_run_of_a_document_stores_nothing(api: Any) -> None:
    """A dry run reports the same and stores neither the article nor its pictures."""
    content = word(p("Tựa", "Title"), p("Thân", content=drawing("rImg1")), pictures={"rImg1": png()})
    result = await imported(api, content, "&dry_run=true")
    assert (result["status"], result["dry_run"]) == ("created", True)
    assert (await api.call("GET", "/media")).json()["media"] == []


async def test_document_of_too_many_paragraphs_fails_with_the_limit(api: Any) -> None:
    """A document longer than an article may be is refused with the number of its blocks."""
    result = await imported(api, word(p("Tựa", "Title"), *(p(f"Đoạn {number}") for number in range(600))))
    assert (result["status"], "at most 500 blocks" in result["reason"]) == ("failed", True), result


async def test_document_that_is_no_docx_is_422_or_failed(api: Any) -> None:
    """A .doc is refused by its name, and other content in a document's name by its structure."""
    path = "/imports?site=haihau&section=tin-tuc&file_name=bai.doc"
    assert (await api.call("POST", path, b"x")).status == 422
    result = await imported(api, b"no document", "&format=docx")
    assert (result["status"], result["reason"]) == ("failed", "is not a Word document (.docx)")


async def test_command_imports_a_document_with_its_pictures(pool: asyncpg.Pool, database: str, tmp_path: Path) -> None:
    """The command stores the pictures of a document in the media store, and prints what was lost."""
    comment = '<w:r><w:commentReference w:id="1"/></w:r>'
    content = word(
        p("Chợ Cồn", "Title"), p("Thân", content=drawing("rImg1") + comment), pictures={"rImg1": png("blue")}
    )
    file = tmp_path / "bai.docx"
    file.write_bytes(content)
    settings = {"DATABASE_URL": database, "KAFKA_BOOTSTRAP": "127.0.0.1:1", "PRESSTALLY_MEDIA": str(tmp_path / "media")}
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "services.ingest", "import", "--site", "haihau", "--section", "tin-tuc", str(file)],
        cwd=ROOT,
        env={**os.environ, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert "created article" in output
    assert "warning: 1 comments were left out" in output
    assert await pool.fetchval("SELECT content #>> '{body,1,image,url}' FROM ingest.articles") == await pool.fetchval(
        "SELECT '/media/' || rendition_names[1] FROM ingest.media"
    )
    assert (tmp_path / "media/originals").exists()
