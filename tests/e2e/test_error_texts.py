"""What an error says is for its reader: no path of the server, no module, no stack, no library's internals."""

import re
import urllib.parse
from typing import Any

PRIVATE = re.compile(
    r"/(?:tmp|home|root|usr|var|opt|app|work|srv|etc)/|site-packages|Traceback|\.py\b|line \d+, in |services\.|asyncpg|"
    r"postgres(?:ql)?:|0x[0-9a-f]{6,}|<class |object at|127\.0\.0\.1:\d",
    re.IGNORECASE,
)
ODD = [
    "%00",
    "%ff",
    "%e2%80",
    "..%2f..%2fx",
    "'",
    '"',
    "<x>",
    "%F0%9F%98%80" * 60,
    "9" * 400,
    "-1",
    "1e999",
    "NaN",
]
PUBLIC = [
    *(f"/{one}" for one in ODD),
    *(f"/tim-kiem?q={one}&trang={one}&tu={one}" for one in ODD),
    *(f"/media/{one}" for one in ODD),
    *(f"/stats/{one}/counter" for one in ODD),
    *(f"/stats/haihau/history?from={one}&step={one}" for one in ODD),
    *(f"/stats/haihau/history?article={one}&to={one}" for one in ODD),
    *(f"/stats/haihau/top?period={one}&limit={one}" for one in ODD),
    *(f"/stats/haihau/top?from={one}&to={one}" for one in ODD),
    *(f"/stats/haihau/articles/{one}/counter.svg?theme={one}" for one in ODD),
    *(f"/api/articles?q={one}&cursor={one}" for one in ODD),
    *(f"/api/articles?site={one}" for one in ODD),
    *(f"/api/articles/{one}" for one in ODD),
    *(f"/api/articles/{one}/publication?wait={one}" for one in ODD),
    *(f"/api/static-offline-docs/{one}" for one in ODD),
    *(f"/p.gif?site={one}&path={one}" for one in ODD),
    *("/api", "/api/", "/api/nothing", "/api/docs/nothing", "/asyncapi/x", "/e", "/e/batch", "/stats", "/stats/"),
]
BODIES = [b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"a":' * 70, b"9" * 5_000, b'{"title": "\\ud800"}', b"\x00\x01"]
FILES = {
    "x.zip": b"PK\x03\x04" + bytes(200),
    "x.ninjs.json": b'{"type": "text", "headline": 5}',
    "x.xml": b"<?xml version='1.0'?><!DOCTYPE x SYSTEM 'file:///etc/passwd'><rss><channel><item>",
    "x.md": b"---\na: &a [*a]\n---\n",
    "x.html": b"<html>" + b"<div>" * 3_000,
    "x.ndjson": b'{"title": 1}\n{"body"\n\xff\n'
    b'{"image": "file:///etc/passwd", "title": "a", "external_id": "b", "body": "c"}',
    "../../etc/passwd": b"root",
}
IMAGES = [
    b"\xff\xd8\xff" + bytes(100),
    b"\x89PNG\r\n\x1a\n" + bytes(100),
    b"GIF89a" + bytes(9),
    b"RIFF\x00\x00\x00\x00WEBPVP8 ",
]


def assert_clean(answer: Any, what: object) -> None:
    if answer.status >= 400 or what in FILES:
        found = PRIVATE.search(answer.body.decode("utf-8", "replace"))
        assert found is None, (what, answer.status, found, answer.body[:500])
        assert answer.status not in (500, 502), (what, answer.body[:300])


def test_errors_of_public_paths_name_nothing_of_the_server(system: Any) -> None:
    """Odd paths and parameters of each public route."""
    for path in PUBLIC:
        assert_clean(system.get(urllib.parse.quote(path, "/%?=&.<>'\"")), path)


def test_errors_of_the_editor_api_name_nothing_of_the_server(system: Any, editors: Any) -> None:
    """Odd bodies of each route, odd files of each format and damaged images."""
    paths = system.get("/api/openapi.json").json()["paths"]
    for path, operations in paths.items():
        url = path.replace("{article_id}", "a").replace("{medium}", "0" * 64).replace("{version}", "x")
        for method in operations:
            for body in BODIES if method in ("post", "put", "patch") else [None]:
                for odd in ("", "?site=%00", "?site=nowhere&limit=x"):
                    answer = editors.call(method.upper(), url + odd, body, "admin")
                    assert_clean(answer, (method, path, body))
    for name, content in FILES.items():
        for chosen in (
            "",
            *(f"&format={one}" for one in ("ninjs", "wxr", "ghost", "nukeviet", "markdown", "html", "ndjson")),
        ):
            asked = f"/imports?site=haihau&section=tin-tuc&file_name={urllib.parse.quote(name)}{chosen}"
            assert_clean(editors.call("POST", asked, content, "admin"), name)
    for image in IMAGES:
        assert_clean(editors.call("POST", "/media?site=haihau", image, content_type="application/octet-stream"), image)
        form = (
            b'--x\r\ncontent-disposition: form-data; name="file"; filename="/etc/x.jpg"\r\n\r\n' + image + b"\r\n--x--"
        )
        assert_clean(editors.call("POST", "/media", form, content_type="multipart/form-data; boundary=x"), image)
        assert_clean(editors.call("POST", "/media", image, content_type="multipart/form-data"), image)


def test_errors_of_events_name_nothing_of_the_server(system: Any) -> None:
    """Odd events."""
    for body in BODIES:
        assert_clean(system.post_events(body), body)
        assert_clean(system.request("POST", "/e/batch", body, authorization="Bearer x"), body)


def test_no_response_repeats_the_host_of_a_request(system: Any) -> None:
    """A client chooses `Host`: a shared cache would hand a redirect or a link built from it to others."""
    paths = [
        "/api/articles/",
        "/api",
        "/api/",
        "/api/docs",
        "/api/docs/",
        "/api/openapi.json",
        "/asyncapi",
        "/asyncapi/",
    ]
    paths += [
        "/stats/haihau/counter/",
        "/stats/haihau/",
        "/stats/haihau",
        "/stats/widget.js/",
        "/stats/haihau/history/",
    ]
    paths += [
        "/",
        "/tin-tuc",
        "/luu-tru",
        "/tag/x",
        "/rss.xml",
        "/sitemap.xml",
        "/robots.txt",
        "/media/x/",
        "//x",
        "/e/",
    ]
    for path in paths:
        for host in ("evil.example", "evil.example:81", "localhost@evil.example", "evil.example/x?"):
            answer = system.get(path, host=host, x_forwarded_host="evil.example", x_forwarded_proto="gopher")
            seen = f"{answer.headers} {answer.body.decode('utf-8', 'replace')}"
            assert "evil.example" not in seen, (path, host, seen[:500])
            assert "gopher" not in seen, path
