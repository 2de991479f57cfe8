"""Headers of downloads: names of every kind, and nothing that a browser would run."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.http.downloads import attachment, with_extension

FORM = re.compile(r'^attachment; filename="([ -~]*)"; filename\*=UTF-8\'\'([!#$&+.^_`|~A-Za-z0-9%-]*)$')


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Nghị quyết số 12.pdf", "Nghi quyet so 12.pdf"),
        ("Đơn đăng ký.docx", "Don dang ky.docx"),
        ('a"; filename="x.exe', "a_; filename=_x.exe"),
        ("a\r\nSet-Cookie: a=1", "a__Set-Cookie_ a=1"),
        ("100%.pdf", "100_.pdf"),
        ("文件.pdf", "__.pdf"),
    ],
)
def test_attachment_has_the_name_in_ascii_and_in_full(name: str, plain: str) -> None:
    """Old clients get the name without diacritics, others the whole name; no character ends a header or parameter."""
    found = FORM.match(attachment(name)["content-disposition"])
    assert found is not None
    assert (found[1], unquote(found[2])) == (plain, name)


@given(some.text(max_size=60).filter(lambda text: text.isprintable()))
def test_attachment_of_any_name_is_one_valid_header(name: str) -> None:
    """Whatever the name, the header has its two parameters, and the second is the name."""
    found = FORM.match(attachment(name)["content-disposition"])
    assert found is not None
    assert unquote(found[2]) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nghị quyết", "Nghị quyết.pdf"),
        ("a.PDF", "a.PDF"),
        ("a.hta", "a.hta.pdf"),
        ("a.pdf.", "a.pdf"),
        ("", "tep.pdf"),
        (".pdf", "tep.pdf"),
        ("..", "tep.pdf"),
        ("... .pdf", "tep.pdf"),
        (".htaccess", "htaccess.pdf"),
        ("đ" * 200, "đ" * 196 + ".pdf"),
        ("đ" * 197 + ".pdf", "đ" * 196 + ".pdf"),
    ],
)
def test_with_extension_is_a_name_that_people_see(name: str, expected: str) -> None:
    """A name is never an extension alone, hides nothing, and is as long as blocks of files may have it."""
    assert with_extension(name, "pdf") == expected
