"""How the telephone numbers and e-mail addresses in a site's contact become links."""

import msgspec
import pytest

from services.render.pages.contact_links import mail_links, phone_links
from services.render.pages.html import render_error
from tests.render.conftest import SITE


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0228 3877 000", ["02283877000"]),
        ("(0228) 3.877.000", ["02283877000"]),
        ("+84 228 3877 000", ["+842283877000"]),
        ("+84 (228) 3877-000", ["+842283877000"]),
        ("0228.3877.000 - 0912 345 678", ["02283877000", "0912345678"]),
        ("0228-3877-000 – 0228-3877-001", ["02283877000", "02283877001"]),
        ("0228 3877 000; 0228 3877 001 (trực ban)", ["02283877000", "02283877001"]),
        ("0228 3877 000/0228 3877 001", ["02283877000", "02283877001"]),
        ("0228 3877 000 (máy lẻ 12)", ["02283877000"]),
        ("0228 3877 000 - Fax: 0228 3877 001", ["02283877000"]),
        ("FAX 0228 3877 001", []),
        ("1022", ["1022"]),
        ("Đường dây nóng: 115", ["115"]),
        ("số 5, tổ 7", []),
        ("liên hệ qua trang", []),
        ("", []),
    ],
)
def test_phone_links_are_the_numbers_that_can_be_dialled(text: str, numbers: list[str]) -> None:
    """Each number leads to itself, in the forms in which offices write theirs; the text stays what it was."""
    parts = phone_links(text)
    assert [part.href for part in parts if part.href] == [f"tel:{number}" for number in numbers]
    assert "".join(part.text for part in parts) == text


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("toasoan@haihau.example", ["toasoan@haihau.example"]),
        ("toasoan@haihau.example; phongvh@haihau.example.", ["toasoan@haihau.example", "phongvh@haihau.example"]),
        ("a@x.example, b@x.example (ban thư ký)", ["a@x.example", "b@x.example"]),
        ("chưa có", []),
    ],
)
def test_mail_links_are_the_addresses_of_a_text(text: str, addresses: list[str]) -> None:
    """Each address leads to itself, and the text stays what it was."""
    parts = mail_links(text)
    assert [part.href for part in parts if part.href] == [f"mailto:{address}" for address in addresses]
    assert "".join(part.text for part in parts) == text


def test_footer_of_a_page_dials_each_number() -> None:
    """Two numbers in the contact are two links, and so are two e-mail addresses."""
    site = msgspec.structs.replace(SITE, phone="0228 3877 000 - 0912 345 678", email="a@x.example; b@x.example")
    page = render_error(site, site.url, 404).body.decode()
    for href in ("tel:02283877000", "tel:0912345678", "mailto:a@x.example", "mailto:b@x.example"):
        assert page.count(f'href="{href}"') == 1, href
