"""The history of an article."""

from typing import Any

from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article import write


async def test_history_compares_and_restores(visit: Any, pages: Pages) -> None:
    """Each version says who made it when; two are compared word by word, and a former one comes back as a draft."""
    writer = await visit("write:haihau", name="Lan")
    article = await write(writer, body="Sáng nay chợ họp.")
    await writer.open(f"bai-viet/{article}")
    await writer.submit("write", body="Chiều nay chợ họp.", note="đổi giờ", action="save")
    shown = await writer.open(f"bai-viet/{article}/lich-su")
    assert "đổi giờ" in shown.text
    assert "Lan" in shown.text
    shown = await writer.open(f"bai-viet/{article}/so-sanh", **{"from": 1, "to": 2})
    assert "<del>Sáng</del>" in shown.html
    assert "<ins>Chiều</ins>" in shown.html
    shown = await writer.submit()
    assert "Bản cũ đã trở lại" in shown.text
    assert "Sáng nay chợ họp." in shown.html


async def test_change_of_the_live_version_is_named_in_the_readers_language(visit: Any) -> None:
    """A draft that took over a correction says so once, in history and audit log, and notes of people stay."""
    admin = await visit("admin:haihau", name="Lan")
    article = await write(admin, action="publish")
    await admin.open(f"bai-viet/{article}")
    await admin.submit("write", body="Bản tiếp theo.", action="save", note="viết tiếp")
    await admin.open(f"bai-viet/{article}/dang-dang")
    await admin.submit("live", lead="Sapo đã sửa.", note="sửa sapo")
    for path in (f"bai-viet/{article}/lich-su", "nguoi/nhat-ky"):
        shown = await admin.open(path)
        assert shown.status == 200
        assert "lấy thay đổi của trang đang đăng" in shown.text
        assert "the live version" not in shown.text
        assert "viết tiếp" in shown.text
        assert "sửa sapo" in shown.text
