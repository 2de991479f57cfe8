"""A static copy has the bytes of the live site, and works on a plain server of files."""

import json
import os
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.render.export.folder import MANIFEST
from services.render.export.search_files import FOLDER
from services.render.export.search_files import MANIFEST as SEARCH_MANIFEST
from services.render.export.state import STATE

ROOT = Path(__file__).parent.parent.parent


def export(system: Any, folder: Path, *arguments: str, code: int = 0) -> str:
    ours = {"DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    ours["PRESSTALLY_MEDIA"] = str(system.home / "media")
    command = [sys.executable, "-m", "services.render", "export", str(folder), "--site", "haihau", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**system.environment, **ours}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def caddy(folder: Path, port: int, wait: Any) -> Iterator[str]:
    """Serve a copy with the settings that it brought, and yield its URL."""
    place = {"COPY_ADDRESS": f":{port}", "COPY": str(folder), "XDG_DATA_HOME": "/nonexistent", "HOME": "/nonexistent"}
    command = [str(Path(sys.executable).parent / "caddy"), "run", "--config", str(folder / "Caddyfile")]
    log = (folder.parent / "caddy.log").open("wb")
    process = subprocess.Popen(
        [*command, "--adapter", "caddyfile"], env={**os.environ, **place}, stdout=log, stderr=log
    )
    try:
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert process.poll() is None, (folder.parent / "caddy.log").read_text()
            result = subprocess.run(["curl", "-s", "-o", "/dev/null", url], check=False)
            return result.returncode == 0

        wait(answers, what="Caddy")
        yield url
    finally:
        process.terminate()
        process.wait(10)
        log.close()


def address_of(name: str) -> str:
    address = f"/{name.removesuffix('index.html')}" if name.endswith("index.html") else f"/{name}"
    return address.rstrip("/") if address in ("/so-do-site/", "/tim-kiem/") else address


def pages_of(folder: Path) -> dict[str, Path]:
    """Return the files of a copy by the address that they have on the live site."""
    own = {MANIFEST, STATE, "Caddyfile", "_redirects", "_headers", "redirects.nginx", "404.html", "410.html"}
    names = [str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()]
    return {address_of(name): folder / name for name in names if name not in own and not name.endswith(".gz")}


def published(editors: Any, title: str, **fields: Any) -> dict[str, Any]:
    article = editors.publish(editors.create(title, **fields)["id"])
    assert editors.publication(article["id"])["status"] == "live"
    return dict(article)


async def test_a_copy_is_the_live_site(system: Any, editors: Any, tmp_path: Path, free_ports: Any, wait: Any) -> None:
    """Each file has the live bytes; a plain server serves all links; a second run writes nothing; what is gone goes."""
    image = {**editors.image(), "alt": "Một màu"}
    shown = published(editors, "Bài có ảnh", lead_image={"caption": "Ảnh", "image": image}, tags=["bản sao"])
    for number in range(22):
        published(editors, f"Bài {number} của bản sao", tags=["bản sao", f"nhóm {number % 4}"])
    published(editors, "Bài có địa chỉ cũ", old_urls=["/tin/cu.aspx?id=5&loai={x}", "/tin/cu%207.htm"])
    killed = published(editors, "Bài sẽ gỡ khỏi bản sao")
    folder = tmp_path / "copy"
    said = export(system, folder, "--gzip")
    assert "0 unchanged, 0 removed" in said
    pages = pages_of(folder)
    assert len(pages) > 60
    searched = {address for address in pages if address == "/tim-kiem" or address.startswith("/search-index/")}
    assert len(searched) > 4  # the copy searches in the browser
    for address, file in ((one, pages[one]) for one in pages.keys() - searched):
        got = system.get(urllib.parse.quote(address))
        assert (got.status, got.body == file.read_bytes()) == (200, True), address
        if address.endswith((".html", "/")) and file.stat().st_size > 600:
            is_copy = address.startswith("/ban-luu/")  # with its pictures, which compress no further
            assert file.with_name(f"{file.name}.gz").exists() is not is_copy
    assert len([name for name in pages if name.startswith("/media/")]) > 3
    with caddy(folder, free_ports(1), wait) as url:
        follow_all(system, url, pages)
        asked = "/tin/cu.aspx?id=5&loai={x}", "/tin/cu%207.htm", "/tin/cu%207.htm?x=1", f"/x-{shown['number']}.html"
        for address in asked:
            moved, live = system.get(url + address), system.get(address)
            assert (moved.status, moved.headers["location"]) == (301, live.headers["location"]), address
        assert system.get(f"{url}/khong-co").status == 404
        assert "Hải Hậu" in system.get(f"{url}/khong-co").text
        for hidden in (MANIFEST, STATE, "Caddyfile", "_redirects"):
            assert system.get(f"{url}/{hidden}").status == 404
        zipped = system.get(f"{url}/", accept_encoding="gzip")
        assert (zipped.headers["content-encoding"], zipped.body[:2]) == ("gzip", b"\x1f\x8b")
        for name in ("content-security-policy", "x-content-type-options", "cache-control", "content-type"):
            assert zipped.headers[name] == system.get("/").headers[name], name
        style = next(address for address in pages if address.startswith("/theme/site-"))
        assert system.get(url + style).headers["cache-control"] == system.get(style).headers["cache-control"]
        assert system.get(f"{url}/rss.xml").headers["content-type"] == system.get("/rss.xml").headers["content-type"]
    every = [file for file in folder.rglob("*") if file.is_file() and file.name not in (MANIFEST, STATE)]
    times = {file: file.stat().st_mtime_ns for file in every}
    said = export(system, folder, "--gzip", "--full")
    assert re.search(r"; 0 files written, \d+ unchanged, 0 removed", said)
    assert {file: file.stat().st_mtime_ns for file in times} == times
    editors.step(killed["id"], "kill", {"reason": "gỡ"})
    assert editors.publication(killed["id"])["status"] == "withdrawn"
    (folder / "CNAME").write_text("portal.example")
    address = f"/{killed['slug']}-{killed['number']}.html"
    assert re.search(r", [1-9]\d* removed", export(system, folder))
    assert not list(folder.rglob("*.gz"))  # compressed files are written only if they are asked for
    assert not (folder / address[1:]).exists()
    assert not any(
        address in file.read_text() for file in pages_of(folder).values() if file.suffix in (".html", ".xml")
    )
    assert (folder / "CNAME").exists()
    with caddy(folder, free_ports(1), wait) as url:
        assert (system.get(url + address).status, system.get(address).status) == (410, 410)
        zipped = system.get(f"{url}/", accept_encoding="gzip")
        assert (zipped.headers["content-encoding"], zipped.body[:2]) == ("gzip", b"\x1f\x8b")


def follow_all(system: Any, url: str, pages: dict[str, Path]) -> None:
    """Walk from the home page along all links of pages, feeds and sitemaps: each is 200, and all files are reached."""
    seen, ahead = set(), ["/", "/robots.txt", "/sitemap.xml", "/news-sitemap.xml"]
    while ahead:
        address = ahead.pop()
        if address in seen or address.startswith(("/stats/", "/t.js", "/p.gif")):
            continue
        seen.add(address)
        got = system.get(url + address)
        if got.status == 308 and got.headers["location"] == f"{address}/":
            got = system.get(f"{url}{address}/")
        assert got.status == 200, address
        assert address not in pages or got.body == pages[address].read_bytes()
        text = got.body.decode("utf-8", "replace")
        found = re.findall(r'(?:href|src)="([^"#]+)|<(?:loc|link)>([^<#]+)|srcset="([^"]+)"', text)
        links = [
            part
            for link in found
            for part in (link[0], link[1], *(one.split()[0] for one in link[2].split(",") if one))
        ]
        # Of share cards, JSON-LD, the manifest, and the page that searches in the browser.
        links += re.findall(r'"((?:https?://[^"/]+)?/(?:media|theme|search-index)/[\w-]+\.[a-z]+)"', text)
        if address == SEARCH_MANIFEST:
            known = json.loads(text)
            names = [known["table"], known["vocabulary"], *known["texts"], *known["words"]]
            links += [f"{FOLDER}{name}.json" for name in names]
        local = [link.replace("&amp;", "&").removeprefix(system.url) for link in links]
        ahead += [link for link in local if link.startswith("/") and not link.startswith("//")]
    assert {*pages} - seen == set()


async def test_a_folder_of_somebody_else_is_left_alone(system: Any, tmp_path: Path) -> None:
    """A folder that no export wrote is refused, and so is a site that is not there; nothing in it changes."""
    (tmp_path / "letter.txt").write_text("mine")
    assert "it is not an export" in export(system, tmp_path, code=1)
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]
    assert "unknown site 'nowhere'" in export(system, tmp_path / "new", "--site", "nowhere", code=1)
