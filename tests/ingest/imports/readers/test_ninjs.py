"""Items of ninjs 1 to 3."""

import json
from typing import Any

import pytest

from services.ingest.imports.item import FormatError, ImportItem, LeftOutItem
from services.ingest.imports.readers.ninjs import read_ninjs
from shared.articles import Figure
from tests.ingest.imports.samples import outcome


def read(**fields: Any) -> Any:
    item = {"uri": "urn:n:1", "type": "text", "headline": "Tựa", "body_html": "<p>Nội dung.</p>", **fields}
    return next(read_ninjs(json.dumps(item).encode(), "a.json"))


def picture(url: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "picture",
        "renditions": {"original": {"href": url, "width": 1200}, "thumb": {"href": "x", "width": 9}},
        **fields,
    }


def test_read_ninjs_pictures_of_all_versions() -> None:
    """Associations are an object in ninjs 1 and a list in ninjs 3; the first is the lead image, the others are kept."""
    first, second = (
        picture("https://cu.example/1.jpg", body_text="Chợ"),
        picture("https://cu.example/2.jpg", headline="Cầu"),
    )
    listed = [{**one, "renditions": list(one["renditions"].values())} for one in (first, second)]
    for associations in ({"featuremedia": first, "media--1": second}, listed):
        item = read(associations=associations)
        assert (item.lead_image.image.url, item.lead_image.caption) == ("https://cu.example/1.jpg", "Chợ")
        assert [one.image.url for one in item.body if isinstance(one, Figure)] == ["https://cu.example/2.jpg"]


def test_read_ninjs_other_associations_are_reported() -> None:
    """A video of an item is left out with a warning, and so is a picture without an address."""
    item = read(associations={"a": {"type": "video", "headline": "Phim"}, "b": {"type": "picture"}})
    assert [one.kind for one in item.warnings] == ["embed", "image"]


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ("sig:update", "public"),
        (["sig:update", "sig:correction"], "public"),
        ([{"code": "sig:embargo"}], "draft"),
        ({"qcode": "http://cv.iptc.org/newscodes/signal/hold", "name": "Hold"}, "draft"),
        (["newscontent", "EMBARGOED"], "draft"),
        ("sig:khong-biet", "draft"),
        (None, "public"),
    ],
)
def test_read_ninjs_signal_may_be_an_embargo(signal: Any, expected: str) -> None:
    """Signals that are known to say nothing against a publication leave an item public; others make it a draft."""
    assert outcome(read(pubStatus="usable", signal=signal)) == expected


def test_read_ninjs_left_out_item_has_its_id() -> None:
    """An item that is left out is named, so that an article of it can be withdrawn."""
    item = read(state="spiked")
    assert isinstance(item, LeftOutItem)
    assert (item.external_id, item.title) == ("urn:n:1", "Tựa")
    assert isinstance(read(), ImportItem)


@pytest.mark.parametrize(
    "content",
    [
        b'[{"nid":[{"value":1}],"title":[{"value":"x"}]}]',
        b'{"jsonapi":{"version":"1.0"},"data":[{"type":"node--article","id":"a"}]}',
        b'[{"id":12,"guid":{"rendered":"https://x.example/?p=12"},"status":"draft","title":{"rendered":"A"}}]',
    ],
)
def test_read_ninjs_answers_of_other_systems_are_refused_as_a_whole(content: bytes) -> None:
    """JSON of the APIs of Drupal and WordPress is refused by its kind, not by a field that each item lacks."""
    with pytest.raises(FormatError, match="neither of Ghost, NukeViet nor ninjs"):
        list(read_ninjs(content, "a.json"))


@pytest.mark.parametrize(
    ("field", "note", "expected"),
    [
        ("ednote", "Cấm phát hành trước 5/3/2030", "draft"),
        ("ednote", "Chỉ đăng sau 17 giờ", "draft"),
        ("ednote", "Chưa công bố", "draft"),
        ("ednote", "Do not publish before Monday", "draft"),
        ("usageterms", "Chỉ dùng nội bộ", "draft"),
        ("ednote", "Bản sửa lần hai, thay ảnh", "public"),
        ("usageterms", "Không được đăng lại nếu không ghi nguồn", "public"),
    ],
)
def test_read_ninjs_note_that_forbids_publication_makes_a_draft(field: str, note: str, expected: str) -> None:
    """Agencies write embargoes as notes, also in Vietnamese."""
    assert outcome(read(**{field: note})) == expected
