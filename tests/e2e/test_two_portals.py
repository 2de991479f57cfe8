"""Two portals under two hosts, behind one gateway: each surface's URLs are those of its own site, and of no other."""

import base64
import json
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
ABSOLUTE = re.compile(r"https?://[^\s\"'<>&)\\]+")
ELSEWHERE = (
    "http://www.w3.org/",
    "https://www.w3.org/",
    "https://schema.org",
    "http://www.sitemaps.org/",
    "http://www.google.com/schemas/",
    "http://purl.org/",
    "http://a9.com/",
    "http://iptc.org/",
    "http://www.iptc.org/",
    "https://www.iptc.org/",
    "http://cv.iptc.org/",
    "https://www.facebook.com/sharer",
    "https://sp.zalo.me/share_inline?",
    "https://creativecommons.org/",
)
"""Names of vocabularies, and services that a page links to."""


TITLE = "Hai cổng dưới một mái nhà"
PAGE = f"""\
{TITLE}
Phần dẫn của bài viết, đủ dài để đọc như một đoạn dẫn thật sự ở đầu trang.

{"Một đoạn thân bài đủ dài để không ai nhầm với chú thích ảnh. " * 5}

Theo Báo Mẫu
"""


@pytest.fixture(scope="module")
def articles(system: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Publish an article of the same title on each of the two sites, and return what the API says about them."""
    file: Path = tmp_path_factory.mktemp("two portals") / "page.txt"
    file.write_text(PAGE, encoding="utf-8")
    found = {}
    for site in ("haihau", "giao-thuy"):
        done = system.run_import(file, "--publish", "--wait", site=site)
        assert done.returncode == 0, done.stderr
        listed = system.get(f"/api/articles?site={site}&q={urllib.parse.quote(TITLE)}").json()["articles"]
        found[site] = {"id": listed[0]["id"], "url": done.stdout.strip().splitlines()[-1]}
    return found


def base(system: Any, site: str) -> str:
    return {"haihau": system.url, "giao-thuy": "https://giaothuy.example"}[site]


def foreign_urls(text: str, own: str) -> list[str]:
    """Return the absolute URLs of a document that do not belong to a site."""
    found = ABSOLUTE.findall(text.replace("\\/", "/"))
    return [url for url in found if not url.startswith((f"{own}/", *ELSEWHERE)) and url != own]


@pytest.mark.parametrize("site", ["haihau", "giao-thuy"])
def test_every_surface_has_urls_of_its_own_site_only(system: Any, articles: Any, site: str) -> None:
    """Pages, feeds, sitemaps, robots, errors, redirects, ninjs, JSON-LD and statistics name their own host alone."""
    own, article = base(system, site), articles[site]
    assert article["url"].startswith(f"{own}/")
    path, identity = article["url"].removeprefix(own), article["id"]
    host = {"host": own.partition("://")[2]}
    statistics = [f"/stats/{site}{name}" for name in ("", "/top.html", "/top", "/counter.html", "/counter.svg")]
    lists = ["/", "/tin-tuc/", "/so-do-site", "/luu-tru/", "/tim-kiem?q=nha", "/khong-co-trang-nay"]
    files = ["/rss.xml", "/atom.xml", "/tin-tuc/rss.xml", "/sitemap.xml", "/news-sitemap.xml", "/robots.txt"]
    surfaces = [path, *lists, *files, *statistics]
    surfaces += [f"/api/articles/{identity}.ninjs", f"/api/articles/{identity}.jsonld"]
    token = {"authorization": "Bearer a-token-of-giao-thuy"} if site == "giao-thuy" else {}
    with_urls = set()
    for surface in surfaces:
        answer = system.get(surface, **host, **(token if surface.startswith("/stats/") else {}))
        assert answer.status in (200, 404), surface
        assert foreign_urls(answer.text, own) == [], surface
        if own in answer.text:
            with_urls.add(surface)
    expected = {
        "/",
        path,
        "/rss.xml",
        "/atom.xml",
        "/sitemap.xml",
        "/robots.txt",
        f"/stats/{site}",
    }
    assert expected <= with_urls
    for part in re.findall(r"<loc>(.+?)</loc>", system.get("/sitemap.xml", **host).text):
        assert foreign_urls(system.get(part.removeprefix(own), **host).text, own) == [], part
    page = system.get(path, **host).text
    assert f'<link rel="canonical" href="{own}{path}">' in page
    (shared,) = re.findall(r"https://sp\.zalo\.me/share_inline\?d=([\w%]+)", page)
    assert json.loads(base64.b64decode(urllib.parse.unquote(shared))) == {"url": f"{own}{path}"}
    slash = system.get("/tin-tuc", **host)
    assert slash.status in (301, 308, 404)
    assert slash.headers.get("location", "/").startswith(("/", own))


def test_export_of_a_portal_has_its_own_urls_only(system: Any, articles: Any, tmp_path: Path) -> None:
    """A static copy of one portal names no other one, in any of its files."""
    environment = {**system.environment, "DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    command = [sys.executable, "-m", "services.render", "export", str(tmp_path / "copy"), "--site", "giao-thuy"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    own = base(system, "giao-thuy")
    texts = {
        file: file.read_text(encoding="utf-8")
        for file in (tmp_path / "copy").rglob("*")
        if file.suffix in (".html", ".xml", ".txt")
    }
    assert len(texts) > 5
    assert sum(own in text for text in texts.values()) > 3
    assert {file.name: found for file, text in texts.items() if (found := foreign_urls(text, own))} == {}


def test_pages_of_one_path_are_cached_for_each_host(system: Any, articles: Any) -> None:
    """The same path has a page, a tag and a 404 for each host; ports and spellings of a host are the same host."""
    hosts = (system.url.partition("://")[2], "giaothuy.example")
    for path in ("/", "/tin-tuc/", "/rss.xml", "/sitemap.xml", "/khong-co"):
        for _ in range(2):  # the second from the cache
            first, second = (system.get(path, host=host) for host in hosts)
            assert first.text != second.text, path
            if first.status == 200:
                assert first.headers["etag"] != second.headers["etag"]
                same = system.get(path, host="GIAOTHUY.example.:443", if_none_match=second.headers["etag"])
                assert same.status == 304, path
                assert system.get(path, host=hosts[0], if_none_match=second.headers["etag"]).status == 200
    own, other = (urllib.parse.urlsplit(articles[site]["url"]).path for site in ("haihau", "giao-thuy"))
    assert system.get(own, host=hosts[0]).status == system.get(other, host=hosts[1]).status == 200
    assert own == other or system.get(own, host=hosts[1]).status == 404


def test_identities_of_articles_are_those_of_their_site(system: Any, articles: Any) -> None:
    """Permanent ids name the site, whichever host was asked."""
    for site, article in articles.items():
        for host in ("giaothuy.example", system.url.partition("://")[2]):
            found = json.loads(system.get(f"/api/articles/{article['id']}.ninjs", host=host).text)
            assert f"tag:{site}.presstally.example,2026" in json.dumps(found)
            assert foreign_urls(json.dumps(found), base(system, site)) == []


def test_events_of_one_portal_cannot_come_from_pages_of_another(system: Any, new_id: Any) -> None:
    """The gateway's own host may send events of the site that declares it, and not of the other one."""
    for site, origin, status in (
        ("haihau", system.url, 202),
        ("giao-thuy", system.url, 403),
        ("giao-thuy", "https://GIAOTHUY.example.:443", 202),
        ("haihau", "https://giaothuy.example", 403),
    ):
        event = {"id": new_id(), "site": site, "kind": "view", "path": "/"}
        assert system.post_events(event, origin=origin).status == status, (site, origin)


def test_overview_lists_the_portals_that_the_caller_may_see(system: Any) -> None:
    """Without a token the public portals, with it all; each with the numbers of its counter, and their sums."""
    assert system.get("/stats").headers["location"].endswith("/stats/")
    public = system.get("/stats/sites.json?measure=views").json()
    assert [one["site"] for one in public["sites"]] == ["haihau"]
    everything = system.get("/stats/sites.json?measure=views", authorization="Bearer a-token-of-giao-thuy")
    sites = {one["site"]: one for one in everything.json()["sites"]}
    assert list(sites) == ["haihau", "giao-thuy"]
    assert sites["giao-thuy"]["statistics"] == "https://giaothuy.example/stats/giao-thuy"
    assert everything.json()["sum"]["total"] == sum(one["total"] for one in sites.values())
    assert "no-store" in everything.headers["cache-control"]
    page = system.get("/stats/?lang=en").text
    assert f'href="{system.url}/stats/haihau?lang=en"' in page
    assert "giaothuy" not in page
    assert "Giao Thủy" in system.get("/stats/?token=a-token-of-giao-thuy").text
    assert '<html lang="vi">' in system.get("/stats/?token=a-token-of-giao-thuy").text
