"""Preview links over HTTP, through the gateway: what ends them, guesses, other sites, caches, and what is counted."""

import base64
import re
from typing import Any

import pytest

from tests.settled import settled_counter

SITE_404 = "/khong-co-trang-nay.html"
OTHER_HOST = "giaothuy.example"


@pytest.fixture(scope="module")
def links(editors: Any) -> tuple[str, str]:
    """The signed values of links to two drafts."""
    made = []
    for title in ("Bản thảo một", "Bản thảo hai"):
        article = editors.create(title)["id"]
        made.append(editors.call("POST", f"/articles/{article}/previews", {"version": 1}).json()["url"])
    one, other = (url.rpartition("/")[2] for url in made)
    return one, other


def flipped(text: str, position: int) -> str:
    """Return a text in Base64 with another character at a position."""
    return text[:position] + ("A" if text[position] != "A" else "Q") + text[position + 1 :]


def guesses(one: str, other: str) -> dict[str, str]:
    """Return paths that look like a link, by what is wrong with them."""
    name, _, mac = one.partition(".")
    others_mac = other.partition(".")[2]
    return {
        "first character of the name": f"/xem-truoc/{flipped(name, 0)}.{mac}",
        "last character of the name": f"/xem-truoc/{flipped(name, 21)}.{mac}",
        "first character of the signature": f"/xem-truoc/{name}.{flipped(mac, 0)}",
        "middle of the signature": f"/xem-truoc/{name}.{flipped(mac, 20)}",
        "the signature of another link": f"/xem-truoc/{name}.{others_mac}",
        "an empty signature": f"/xem-truoc/{name}.",
        "no signature": f"/xem-truoc/{name}",
        "no name": f"/xem-truoc/.{mac}",
        "zeros": f"/xem-truoc/{name}.{base64.urlsafe_b64encode(bytes(32)).decode().rstrip('=')}",
        "a padded signature": f"/xem-truoc/{one}=",
        "a cut signature": f"/xem-truoc/{one[:-1]}",
        "a longer signature": f"/xem-truoc/{one}A",
        "another case": f"/xem-truoc/{one.swapcase()}",
        "two dots": f"/xem-truoc/{one.replace('.', '..')}",
        "a NUL": f"/xem-truoc/{one}%00",
        "a line": f"/xem-truoc/{one}%0d%0aSet-Cookie:%20a=1",
        "a space": f"/xem-truoc/{one}%20",
        "a parameter of the path": f"/xem-truoc/{one};version=2",
        "a folder": f"/xem-truoc/{one}/",
        "a page below it": f"/xem-truoc/{one}/trang-2.html",
        "another version": f"/xem-truoc/{one}?version=2",
        "an unknown view": f"/xem-truoc/{one}?xem=nguon",
        "two views": f"/xem-truoc/{one}?xem=in&xem=the",
        "the path in capitals": f"/XEM-TRUOC/{one}",
        "the API's path": f"/previews/{one}",
    }


def test_guess_is_the_sites_404(system: Any, links: tuple[str, str]) -> None:
    """Whatever is changed in a link, the response is that of any page that does not exist, byte for byte."""
    assert system.get(f"/xem-truoc/{links[0]}").status == 200
    missing = system.get(SITE_404)
    for what, path in guesses(*links).items():
        answer = system.get(path)
        assert (answer.status, answer.body) == (404, missing.body), what
        assert "set-cookie" not in answer.headers, what
    elsewhere = system.get(f"/xem-truoc/{links[0]}", host=OTHER_HOST)
    assert (elsewhere.status, elsewhere.body) == (404, system.get(SITE_404, host=OTHER_HOST).body)


def test_preview_is_in_no_cache_index_or_count(system: Any, editors: Any, links: tuple[str, str]) -> None:
    """Each view comes whole from the portal with every request, loads nothing that counts, and is in no list."""
    views = settled_counter(system, measure="views")["total"]
    for view in ("trang", "in", "the", "dien-thoai", "may-tinh"):
        path = f"/xem-truoc/{links[0]}?xem={view}"
        for headers in ({}, {"if_none_match": "*"}, {"if_modified_since": "Fri, 01 Jan 2100 00:00:00 GMT"}):
            answer = system.get(path, **headers)
            assert (answer.status, answer.headers["cache-control"]) == (200, "no-store"), (view, headers)
            assert "noindex" in answer.headers["x-robots-tag"], view
            assert not answer.headers.keys() & {"etag", "last-modified", "set-cookie", "age"}, view
        assert not re.search(r"/t\.js|/p\.gif|application/ld\+json\"[^<]*xem-truoc", answer.text), view
        head = system.request("HEAD", path)
        assert (head.status, head.body, head.headers["cache-control"]) == (200, b"", "no-store"), view
        assert system.request("POST", path, b"x").status == 405, view
    for path in ("/", "/sitemap.xml", "/sitemap-articles-1.xml", "/rss.xml", "/so-do-site", "/tim-kiem?q=b%E1%BA%A3n"):
        text = system.get(path).text
        assert "xem-truoc" not in text, path
        assert "Bản thảo một" not in text, path
    assert settled_counter(system, measure="views")["total"] == views


@pytest.mark.parametrize("withdrawal", ["unpublish", "archive", "kill"])
def test_link_to_a_withdrawn_article_stays_ended(system: Any, editors: Any, withdrawal: str) -> None:
    """The link is a 404 at once, and shows no work on the article after it is public again."""
    article = editors.create(f"Bài sẽ gỡ {withdrawal}")["id"]
    editors.publish(article)
    url = editors.call("POST", f"/articles/{article}/previews", {}).json()["url"]
    path = "/" + url.split("/", 3)[3]
    assert system.get(path).status == 200
    editors.step(article, withdrawal, {"reason": "sai"})
    assert system.get(path).status == 404
    if withdrawal == "kill":
        assert editors.call("POST", f"/articles/{article}/restore", {}, "admin").status == 200
    editors.step(article, "publish")
    assert editors.publication(article)["status"] == "live"
    assert system.get(path).status == 404
