"""Two versions side by side."""

from typing import Any

from services.ingest.newsroom.comparison import Segment, block_text, compare


def paragraph(text: str) -> dict[str, Any]:
    return {"type": "paragraph", "html": text}


def test_words_that_changed_are_marked() -> None:
    """Within a block, words are compared; blocks that are the same stay side by side."""
    before = {"title": "Chợ", "body": [paragraph("Sáng nay <em>chợ</em> họp."), paragraph("Hết.")]}
    after = {"title": "Chợ Cồn", "body": [paragraph("Chiều nay chợ họp."), paragraph("Hết.")]}
    found = compare(before, after, "vi")
    assert [name for name, _ in found.fields] == ["Tựa đề"]
    changed, same = found.body
    assert (changed.kind, same.kind) == ("changed", "same")
    assert changed.before[0] == Segment("removed", "Sáng")
    assert changed.after[0] == Segment("added", "Chiều")
    assert not found.is_same
    assert compare(before, before, "vi").is_same


def test_added_and_removed_blocks_have_one_side() -> None:
    """A new block is not compared with another text that happens to be in its place."""
    before = {"body": [paragraph("Bến cá sáng sớm đông người."), paragraph("Chợ họp lúc sáu giờ.")]}
    after = {"body": [paragraph("Một đoạn hoàn toàn mới thêm vào đây!"), paragraph("Chợ họp lúc bảy giờ.")]}
    assert [row.kind for row in compare(before, after, "en").body] == ["added", "removed", "changed"]


def test_blocks_of_each_kind_have_words() -> None:
    """Lists, quotations, tables, pictures, videos and documents are compared by what people read."""
    blocks = [
        {"type": "list", "items": [{"html": "Một", "items": [{"html": "Hai"}]}]},
        {"type": "quote", "paragraphs": ["Ba"], "cite": "Lan"},
        {"type": "table", "rows": [[{"html": "a"}, {"html": "b"}]], "caption": "Bảng"},
        {"type": "figure", "caption": "Cổng", "image": {"alt": "Chợ", "media": "ab" * 32}, "credit": None},
        {"type": "embed", "provider": "vimeo", "id": "1"},
        {"type": "file", "name": "QĐ.pdf"},
    ]
    assert [block_text(one) for one in blocks] == [
        "• Một\n  • Hai",
        "Ba\n— Lan",
        "Bảng\na | b",
        "Chợ · Cổng · abababab",
        "vimeo 1",
        "QĐ.pdf",
    ]
