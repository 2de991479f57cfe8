"""WordPress exports: what is not public stays so, in any file."""

import pytest

from tests.ingest.imports.samples import outcome, read_content

WXR = (
    '<rss xmlns:wp="http://wordpress.org/export/1.2/" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
    "{items}</channel></rss>"
)


def post(number: int, status: str, password: str = "") -> str:
    return (
        f"<item><title>Bài {number}</title><link>https://cu.example/{number}</link><guid>g</guid>"
        f"<content:encoded>x</content:encoded><wp:post_id>{number}</wp:post_id><wp:post_type>post</wp:post_type>"
        f"<wp:status>{status}</wp:status><wp:post_password>{password}</wp:post_password></item>"
    )


ITEMS = post(1, "publish") + post(2, "draft") + post(3, "private") + post(4, "trash") + post(5, "publish", "p")
FILE = WXR.format(items=ITEMS)
LATE = FILE.replace(' xmlns:wp="http://wordpress.org/export/1.2/"', "").replace(
    "<item>", '<item xmlns:wp="https://wordpress.org/export/1.3/">'
)


@pytest.mark.parametrize(
    "content",
    [
        FILE.encode(),
        b"\xef\xbb\xbf \n" + FILE.encode(),
        FILE.encode("utf-16"),
        FILE.encode("utf-16-le"),
        f'<?xml version="1.0" encoding="UTF-16"?>{FILE}'.encode("utf-16-be"),
        FILE.encode("utf-32"),
        LATE.encode(),
        f"<!-- {'x' * 2_000_000} -->{LATE}".encode(),
        FILE.replace(' xmlns:wp="http://wordpress.org/export/1.2/"', "").encode(),
        FILE.replace("wp:", "w:").replace(":wp=", ":w=").encode(),
        FILE.replace("<wp:status>draft</wp:status>", "").encode(),
    ],
)
@pytest.mark.parametrize("name", ["x.xml", "x.rss", "x.atom"])
def test_wordpress_export_is_never_read_as_a_feed(content: bytes, name: str) -> None:
    """Drafts, private, deleted and protected posts stay so: in any encoding, with any prefix, under any file name."""
    found = read_content(name, content)
    outcomes = {one.title: outcome(one) for one in found}
    assert outcomes == {"Bài 1": "public", "Bài 2": "draft", "Bài 3": "draft", "Bài 4": "left_out", "Bài 5": "draft"}
