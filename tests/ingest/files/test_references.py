"""File blocks: by ID, by URL, on another site, and elsewhere."""

from collections.abc import Callable

import asyncpg
import pytest

from services.ingest.content.errors import InvalidContentError
from services.ingest.files.references import display_name, file_url, resolve_files
from services.ingest.files.rules import DOCX, PDF
from services.ingest.queries import SQL
from shared.articles import Article, File, Paragraph, file_id_of

ID = "ab" * 16
NewArticle = Callable[..., Article]


@pytest.fixture
async def stored(pool: asyncpg.Pool) -> str:
    """A file of the site haihau."""
    await pool.execute(SQL["insert_file"], ID, "haihau", bytes(32), PDF, "Nghị quyết.pdf", 123, [], "An", None)
    return ID


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nghị quyết 12.pdf", "nghi-quyet-12.pdf"),
        ("Đơn (mẫu).PDF", "don-mau.pdf"),
        ("文件.pdf", "wen-jian.pdf"),
        ("....pdf", "tep.pdf"),
        ("a" * 200 + ".pdf", "a" * 80 + ".pdf"),
        ("x.pdf.exe", "x-pdf.pdf"),
    ],
)
def test_file_url_has_the_id_and_a_plain_name(name: str, expected: str) -> None:
    """The name in the URL is for people: without diacritics, short, and with the extension of its type."""
    assert file_url(ID, name, PDF) == f"/tep/{ID}/{expected}"


def test_display_name_has_the_extension_of_the_type() -> None:
    """A name keeps its own extension only if it is right."""
    assert [display_name(one, PDF) for one in ("a.pdf", "a.PDF", "a.hta", "", "a")] == [
        "a.pdf",
        "a.PDF",
        "a.hta.pdf",
        "tep.pdf",
        "a.pdf",
    ]
    assert display_name("đơn.doc", DOCX) == "đơn.doc.docx"


async def test_file_with_a_name_from_before_the_limit_is_usable(pool: asyncpg.Pool, new_article: NewArticle) -> None:
    """A stored name that is longer than that of a block may be is shortened in the block, with its extension."""
    name = "đ" * 200 + ".pdf"
    await pool.execute(SQL["insert_file"], ID, "haihau", bytes(32), PDF, name, 123, [], "An", None)
    async with pool.acquire() as connection:
        found = await resolve_files(connection, new_article(body=[File("", "", ID)]), strict=True)
    assert isinstance(found.body[0], File)
    assert found.body[0].name == "đ" * 196 + ".pdf"


async def test_resolve_files_fills_in_what_the_library_knows(
    pool: asyncpg.Pool, stored: str, new_article: NewArticle
) -> None:
    """A file is found by ID or URL; URL, type and size are those of the library, whatever was sent."""
    sent = [File("", "", stored), File(f"/tep/{stored}/other.exe", "Tên riêng", None, 9, "text/html")]
    async with pool.acquire() as connection:
        found = await resolve_files(connection, new_article(body=[Paragraph("x"), *sent]), strict=True)
    url = f"/tep/{stored}/nghi-quyet.pdf"
    assert found.body[1:] == [File(url, "Nghị quyết.pdf", stored, 123, PDF), File(url, "Tên riêng", stored, 123, PDF)]


@pytest.mark.parametrize("block", [File("", "A", "cd" * 16), File(f"/tep/{'cd' * 16}/a.pdf", "A"), File("/tep/x", "A")])
async def test_resolve_files_unknown_file_is_an_error_of_its_field(
    pool: asyncpg.Pool, new_article: NewArticle, block: File
) -> None:
    """A file that the site does not have is refused also in a draft."""
    async with pool.acquire() as connection:
        with pytest.raises(InvalidContentError) as raised:
            await resolve_files(connection, new_article(body=[block]), strict=False)
    assert [error.field for error in raised.value.errors] == ["body.0.media"]


async def test_resolve_files_of_another_site_is_an_error(
    pool: asyncpg.Pool, stored: str, new_article: NewArticle
) -> None:
    """An article cannot offer a file of another site."""
    async with pool.acquire() as connection:
        with pytest.raises(InvalidContentError):
            await resolve_files(connection, new_article(site="giao-thuy", body=[File("", "A", stored)]), strict=False)


async def test_resolve_files_elsewhere_stay_links(pool: asyncpg.Pool, new_article: NewArticle) -> None:
    """A file on another host stays as it is; an old URL below /media/ cannot be published."""
    elsewhere = new_article(body=[File("https://a.example/a.pdf", "A")])
    old = new_article(body=[File("/media/a.pdf", "A")])
    async with pool.acquire() as connection:
        assert await resolve_files(connection, elsewhere, strict=True) == elsewhere
        assert await resolve_files(connection, old, strict=False) == old
        with pytest.raises(InvalidContentError, match="upload it to /api/files"):
            await resolve_files(connection, old, strict=True)


def test_file_id_of_a_block_is_named_or_in_its_url() -> None:
    """The id is that of `media`, else that of the URL; files elsewhere have none."""
    blocks = [File("x", "A", "m"), File(f"/tep/{ID}/a.pdf", "A"), File("https://a.example/tep/x", "A")]
    assert [file_id_of(one) for one in blocks] == ["m", ID, ""]
