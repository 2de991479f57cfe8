"""Hostile input over HTTP: clear refusals, never a 500, nothing half written, nothing that runs on a page."""

import json
import re
import subprocess
import sys
import unicodedata
import urllib.parse
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.sync_api import Dialog, sync_playwright

from services.render.pages.themes import read_theme
from tests.browser.chromium import CHROMIUM, FLAGS

SCRIPT, ARTICLE_SCRIPT = (read_theme("").paths[name] for name in ("site.js", "article.js"))

DATA = Path(__file__).parent.parent / "data"
NAUGHTY: list[str] = json.loads((DATA / "blns.json").read_text(encoding="utf-8"))
XSS: list[str] = json.loads((DATA / "xss.json").read_text(encoding="utf-8"))
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def in_every_field(text: str) -> dict[str, Any]:
    return {
        "title": text,
        "lead": text,
        "body": text,
        "kicker": text,
        "subtitle": text,
        "place": text,
        "authors": [{"name": text, "role": text[:60]}],
        "source": {"name": text, "label": text[:40]},
        "tags": [text],
        "rights": {"holder": text, "notice": text},
        "seo": {"title": text[:70], "description": text[:160]},
        "note": text,
        "external_id": text,
    }


def ours(fields: dict[str, Any]) -> dict[str, Any]:
    return {"site": "haihau", "section": "tin-tuc", "title": "Bài thử", "body": "<p>x</p>", **fields}


def test_naughty_strings_are_shown_as_text(system: Any, editors: Any) -> None:
    """Each string of the Big List, in every field, is taken and shown as text or refused by the field's name."""
    taken = 0
    for text in NAUGHTY:
        whole = editors.call("POST", "/articles", ours(in_every_field(text)))
        tries = (
            [whole]
            if whole.status == 201
            else [
                editors.call("POST", "/articles", ours({name: value})) for name, value in in_every_field(text).items()
            ]
        )
        for answer in tries:
            assert answer.status in (201, 409, 422), (text, answer.text)
            if answer.status == 422:
                assert answer.json()["errors"][0]["field"], text
        found = editors.call("PATCH", f"/articles/{tries[0].json().get('id', 'x')}", {"version": 1, "body": text})
        assert found.status in (200, 404, 422), text
        taken += whole.status == 201
    assert taken > len(NAUGHTY) * 0.7
    listed = editors.call("GET", "/articles?limit=100", scope="read")
    assert listed.status == 200
    for article in listed.json()["articles"][:40]:
        for kind in ("", ".ninjs", ".jsonld"):
            assert editors.call("GET", f"/articles/{article['id']}{kind}", scope="read").status == 200


def test_naughty_strings_as_filters_find_nothing(editors: Any) -> None:
    """The same strings as filters, keys and versions are refused or find nothing."""
    for text in NAUGHTY[::5]:
        quoted = urllib.parse.quote(text.encode("utf-8", "surrogatepass"))
        for query in (f"q={quoted}", f"cursor={quoted}", f"tag={quoted}", f"modified_since={quoted}"):
            assert editors.call("GET", f"/articles?{query}", scope="read").status in (200, 422), query
        assert editors.call("GET", f"/articles/{quoted.replace('/', '%2F') or 'x'}", scope="read").status in (404, 307)


def test_known_attacks_do_not_run(system: Any, editors: Any) -> None:
    """An article that has each known attack in each field is published, and a browser runs none of them."""
    url = editors.image()["url"]
    blocks = [{"type": "paragraph", "html": hostile} for hostile in XSS]
    blocks += [
        {
            "type": "figure",
            "caption": one,
            "credit": one[:200] or None,
            "image": {"url": url, "alt": one[:300]},
        }
        for one in XSS
    ]
    blocks += [{"type": "table", "caption": XSS[0], "rows": [[{"html": one}] for one in XSS]}]
    blocks += [{"type": "list", "items": [{"html": one} for one in XSS]}, {"type": "quote", "paragraphs": XSS[:50]}]
    hostile = XSS[0] + '"><img src=x onerror=alert(1)>'
    paths = ["/", "/tin-tuc/"]
    for body in (blocks[:-3], blocks[-3:], "<p>".join(XSS)):
        fields = {**in_every_field(hostile), "body": body, "external_id": None, "lead_image": None}
        draft = editors.create(**{**fields, "title": hostile})
        if isinstance(body, str):  # pictures out of raw HTML have no captions yet
            kept = [block for block in draft["body"] if block["type"] != "figure"]
            changed = editors.call("PATCH", f"/articles/{draft['id']}", {"version": 1, "body": kept})
            assert changed.status == 200, changed.text
        published = editors.publish(draft["id"])
        assert editors.publication(draft["id"])["status"] == "live"
        paths.append("/" + published["url"].split("/", 3)[3])
    dialogs: list[Dialog] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.on("dialog", lambda dialog: (dialogs.append(dialog), dialog.dismiss()))
        for path in paths:
            page.goto(system.url + path)
            page.wait_for_load_state("networkidle")
            scripts = page.eval_on_selector_all(
                "script:not([type='application/ld+json'])", "all => all.map(one => one.getAttribute('src'))"
            )
            # The one without an address is named by its checksum in the policy.
            own = [SCRIPT, ARTICLE_SCRIPT] if path.endswith(".html") else [SCRIPT]
            assert sorted(scripts, key=str) == sorted([None, "/t.js", "/stats/widget.js", *own], key=str), path
            assert (
                page.eval_on_selector_all(
                    "main [onerror], main [onload], main iframe, main object", "all => all.length"
                )
                == 0
            )
        browser.close()
    assert dialogs == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 200_000, 400),
        (b'{"a":' * 100_000, 400),
        (b'"\\' * 500_000, 400),
        (b'{"title": "' + b"x" * 3_000_000 + b'"}', 413),
        (b"x" * 20_000_000, 413),
        (b'{"priority": ' + b"9" * 10_000 + b"}", 400),
        (b'{"priority": 1e999}', 422),
        (b'{"title": NaN}', 422),
        (b'{"title": "\\ud800"}', 422),
        (b"null", 422),
        (b"[]", 422),
    ],
)
async def test_giant_and_deep_bodies(system: Any, editors: Any, body: bytes, status: int) -> None:
    """What is too large, too deep or no JSON at all is refused with the reason, and nothing is written."""
    connection = await asyncpg.connect(system.database_url)
    try:
        count = "SELECT count(*) FROM ingest.articles"
        before = await connection.fetchval(count)
        answer = editors.call("POST", "/articles", body)
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
        assert await connection.fetchval(count) == before
    finally:
        await connection.close()


def test_refusals_name_the_field_the_limit_and_the_size(editors: Any) -> None:
    """Each limit that is passed is refused with the field, the limit and the size of what was sent."""
    cases = (
        ({"title": "x" * 256}, "title", 255, 256),
        ({"title": " \u200b "}, "title", 1, 0),
        ({"lead": "ợ" * 1_001}, "lead", 1_000, 1_001),
        ({"lead": "o\u031b\u0323" * 1_001}, "lead", 1_000, 1_001),
        ({"tags": ["x"] * 21}, "tags", 20, 21),
        ({"tags": ["x" * 61]}, "tags.0", 60, 61),
        ({"authors": [{"name": "x" * 151}]}, "authors.0.name", 150, 151),
        ({"body": "x" * 10_001}, "body.0", 10_000, 10_001),
        ({"body": "x" * 250_001}, "body", 250_000, 250_001),
        ({"body": "<p>x" * 501}, "body", 500, 501),
        ({"body": [{"type": "paragraph", "html": "x"}] * 501}, "body", 500, 501),
        ({"body": [{"type": "paragraph", "html": "<b>" * 99}]}, "body.0.html", 60, 99),
        ({"body": [{"type": "figure", "caption": "x" * 501}]}, "body.0.caption", 500, 501),
        ({"seo": {"title": "x" * 71}}, "seo.title", 70, 71),
    )
    for fields, field, limit, size in cases:
        answer = editors.call("POST", "/articles", ours(fields))
        assert answer.status == 422, (field, answer.text)
        error = answer.json()["errors"][0]
        assert (error["field"], error["limit"], error.get("size", 0)) == (field, limit, size)
    for fields, field in (
        ({"state": "published"}, "state"),
        ({"section": "khong-co"}, "section"),
        ({"also_in": ["khong-co"]}, "also_in"),
        ({"source": {"name": "x", "url": "javascript:alert(1)"}}, "source.url"),
        ({"body": [{"type": "figure", "image": {"url": "data:x"}}]}, "body.0.image.url"),
        ({"body": [{"type": "embed", "url": "https://evil.example/x"}]}, "body.0.url"),
        ({"body": [{"type": "script"}]}, "body.0"),
        ({"publish_at": "2026-01-01T00:00:00"}, "publish_at"),
        ({"publish_at": "9999-12-31T23:59:59+00:00"}, "publish_at"),
        ({"publish_at": "2026-01-02T00:00:00Z", "unpublish_at": "2026-01-01T00:00:00Z"}, "unpublish_at"),
        ({"source_system": "cms"}, "body"),
    ):
        answer = editors.call("POST", "/articles", ours(fields))
        assert (answer.status, answer.json()["errors"][0]["field"]) == (422, field), answer.text
    big = [{"type": "paragraph", "html": "ợ" * 9_000}] * 20
    assert editors.call("POST", "/articles", ours({"body": big})).status == 413
    assert editors.call("POST", "/articles", {**ours({}), "site": "khong-co"}).status == 404


@pytest.mark.parametrize(
    "slug", ["../../etc/passwd", "a/b", "%2e%2e", "A", "-a", "a--b", "", "x" * 101, "Đ", "a.html", "a b", "a\n"]
)
def test_slugs_are_no_paths(editors: Any, slug: str) -> None:
    """A slug has small letters, digits and single hyphens; all else is refused."""
    answer = editors.call("POST", "/articles", ours({"slug": slug}))
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "slug")


def test_titles_that_look_alike_are_articles_of_their_own(system: Any, editors: Any) -> None:
    """Bán and Bạn share a slug and not a URL; NFD becomes NFC; Cyrillic letters and đ have slugs that can be read."""
    titles = ("Bán nhà", "Bạn nhà", unicodedata.normalize("NFD", "Bạn nhà"), "Đời đẹp", "Ваn nhà")
    made = [editors.create(title) for title in titles]
    assert [one["slug"] for one in made] == ["ban-nha", "ban-nha", "ban-nha", "doi-dep", "van-nha"]
    assert made[1]["title"] == made[2]["title"] == "Bạn nhà"
    urls = [editors.publish(one["id"])["url"] for one in made]
    assert len(set(urls)) == len(urls)
    for one, url in zip(made, urls, strict=True):
        assert editors.publication(one["id"])["status"] == "live"
        heading = re.search(r"<h1>([^<]+)</h1>", system.get("/" + url.split("/", 3)[3]).text)
        assert heading
        assert heading[1] == one["title"]


@pytest.mark.long
@pytest.mark.parametrize("knows_an_article", [False, True])
def test_the_whole_interface_keeps_its_word(system: Any, editors: Any, tmp_path: Path, knows_an_article: bool) -> None:
    """Whatever is sent to any route, the answer is one that the OpenAPI document announces, and never a 500."""
    article = editors.create("Bài cho máy thử")["id"]
    editors.publish(article)
    config = tmp_path / "schemathesis.toml"
    known = f'[parameters]\n"path.article_id" = "{article}"\n"query.wait" = "1ms"\n'
    config.write_text(known if knows_an_article else "")
    command = [str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(config), "run"]
    command += [f"{system.url}/api/openapi.json", "-c", CHECKS, "-n", "10", "--seed", "7", "--no-color"]
    command += ["-H", f"Authorization: Bearer {editors.token('admin')}", "--warnings", "off"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=110)
    failures = done.stdout.split("= FAILURES =")[-1][:4_000]
    assert done.returncode == 0, failures + done.stderr[:1_000]
    assert "28 selected" in done.stdout
