"""Two versions side by side."""

from typing import Any

from services.ingest.newsroom.comparison import Segment, block_text, compare, related_articles


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


def test_states_are_compared_as_pages_name_them() -> None:
    """No word of the API is shown."""
    [(_, row)] = compare({"state": "published"}, {"state": "draft"}, "vi").fields
    assert ["".join(one.text for one in side) for side in (row.before, row.after)] == ["Đang đăng", "Bản nháp"]


def test_added_and_removed_blocks_have_one_side() -> None:
    """A new block is not compared with another text that happens to be in its place."""
    before = {"body": [paragraph("Bến cá sáng sớm đông người."), paragraph("Chợ họp lúc sáu giờ.")]}
    after = {"body": [paragraph("Một đoạn hoàn toàn mới thêm vào đây!"), paragraph("Chợ họp lúc bảy giờ.")]}
    assert [row.kind for row in compare(before, after, "en").body] == ["removed", "added", "changed"]


def test_blocks_of_each_kind_have_words() -> None:
    """Lists, quotations, tables, pictures, videos and documents are compared by what people read."""
    blocks = [
        {"type": "list", "items": [{"html": "Một", "items": [{"html": "Hai"}]}]},
        {"type": "quote", "paragraphs": ["Ba"], "cite": "Lan"},
        {"type": "table", "rows": [[{"html": "a"}, {"html": "b"}]], "caption": "Bảng"},
        {"type": "figure", "caption": "Cổng", "image": {"alt": "Chợ", "media": "ab" * 32}, "credit": None},
        {"type": "embed", "provider": "vimeo", "id": "1"},
        {"type": "file", "name": "QĐ.pdf"},
        {"type": "related", "article": "a-1", "number": 12},
    ]
    assert [block_text(one) for one in blocks] == [
        "• Một\n  • Hai",
        "Ba\n— Lan",
        "Bảng\na | b",
        "Chợ · Cổng",
        "vimeo 1",
        "QĐ.pdf",
        "№ 12",
    ]
    assert block_text(blocks[-1], {"a-1": "Chợ <Cồn>"}) == "Chợ <Cồn> (№ 12)"


def test_cards_are_compared_by_the_titles_of_their_articles() -> None:
    """A reviewer reads which article a card shows, before and after; those that nobody may read have their number."""
    one, other, hidden = ({"type": "related", "article": f"a-{n}", "number": n} for n in (1, 2, 3))
    before, after = {"body": [one, hidden]}, {"body": [other, hidden]}
    assert related_articles(before, after) == ["a-1", "a-3", "a-2"]
    found = compare(before, after, "vi", {"a-1": "Bến cá", "a-2": "Chợ Cồn"})
    words = ["".join(part.text for part in (*row.before, *row.after)) for row in found.body]
    assert {"Bến cá (№ 1)", "Chợ Cồn (№ 2)"} <= set(words) or "Bến cá (№ 1)Chợ Cồn (№ 2)" in words
    assert "№ 3№ 3" in words


def figure(name: str, **more: Any) -> dict[str, Any]:
    copies = [{"url": f"/media/{name[:4]}-{width}.webp", "width": width, "height": width} for width in (160, 640, 1280)]
    image = {"url": f"/media/{name}.jpg", "alt": "Cổng chợ", "media": name, "renditions": copies} | more
    return {"type": "figure", "caption": "Cổng", "credit": None, "image": image}


def test_pictures_are_shown_and_another_one_is_a_difference() -> None:
    """A picture that was exchanged under the same words is named; each side has a small copy of its own."""
    before, after = {"body": [figure("a" * 64)]}, {"body": [figure("b" * 64)]}
    found = compare(before, after, "vi")
    assert not found.is_same
    (row,) = found.body
    assert (row.picture_before, row.picture_after) == ("/media/aaaa-640.webp", "/media/bbbb-640.webp")
    assert list(row.details) == ["Ảnh khác"]
    elsewhere = figure("c" * 64, media=None, url="https://a.example/1.jpg", renditions=[])
    assert compare({}, {"body": [elsewhere]}, "vi").body[0].picture_after is None


def test_copies_of_a_picture_alone_are_no_difference() -> None:
    """What the library makes of the same picture later is nothing that somebody has changed."""
    one = figure("a" * 64)
    again = {**one, "image": {**one["image"], "renditions": [], "crops": []}}
    assert compare({"body": [one], "lead_image": one}, {"body": [again], "lead_image": again}, "vi").is_same


def test_picture_for_lists_is_read_and_seen() -> None:
    """The field is compared by its words and shown, also where one side has no picture."""
    one, other = figure("a" * 64), {**figure("b" * 64), "caption": "Bến"}
    rows = {
        name: dict(compare({"lead_image": before}, {"lead_image": after}, "vi").fields)["Ảnh đại diện"]
        for name, before, after in (("new", None, one), ("gone", one, None), ("other", one, other))
    }
    pictures = {name: (row.picture_before, row.picture_after) for name, row in rows.items()}
    small, small_other = "/media/aaaa-640.webp", "/media/bbbb-640.webp"
    assert pictures == {"new": (None, small), "gone": (small, None), "other": (small, small_other)}
    assert "".join(one.text for one in rows["new"].after) == "Cổng chợ · Cổng"


def test_what_no_word_shows_is_named() -> None:
    """Bold, where a link leads, the kind of a block, its place and the file behind a name are said to differ."""
    link = '<a href="https://a.example/{}">nghị quyết</a> {}'
    file = {"type": "file", "name": "QĐ.pdf", "url": "/tep/a", "media": "a" * 32}
    lines = [paragraph(f"Đoạn thứ {number} của bài này.") for number in range(3)]
    cases: list[tuple[list[Any], list[Any], str]] = [
        ([paragraph("Chợ họp")], [paragraph("<strong>Chợ</strong> họp")], "Định dạng hoặc liên kết khác"),
        ([paragraph(link.format(1, "mới"))], [paragraph(link.format(2, "mới"))], "Định dạng hoặc liên kết khác"),
        ([paragraph(link.format(1, "mới"))], [paragraph(link.format(2, "vừa ra"))], "Định dạng hoặc liên kết khác"),
        ([paragraph("Chợ họp")], [{"type": "heading", "level": 2, "html": "Chợ họp"}], "Kiểu đoạn khác"),
        ([file], [{**file, "media": "b" * 32, "url": "/tep/b"}], "Tệp hoặc địa chỉ khác"),
        (lines, [lines[2], *lines[:2]], "Đã chuyển chỗ"),
    ]
    for before, after, wanted in cases:
        rows = [row for row in compare({"body": before}, {"body": after}, "vi").body if row.kind != "same"]
        assert [list(row.details) for row in rows] == [[wanted]], wanted


def test_line_break_alone_is_no_formatting() -> None:
    """Words that changed beside a line break are changed words, and no more."""
    (row,) = compare({"body": [paragraph("Một<br>hai")]}, {"body": [paragraph("Một<br>ba<br>bốn hai")]}, "vi").body
    assert list(row.details) == []
