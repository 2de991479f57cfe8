"""Themes of sites: their files override the default theme, and errors are reported before any request."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jinja2.utils import htmlsafe_json_dumps

from services.render.pages.theme_check import check_theme, render_every_kind
from services.render.pages.themes import ThemeError, read_theme
from services.render.site.portal import Pools, Portal
from shared.sites import Site, Sites
from shared.sites_file import read_sites

ROOT = Path(__file__).parent.parent.parent.parent
EXAMPLE = ROOT / "tests/data/themes/xanh"
URL = "https://haihau.example"
SITE = Site(slug="haihau", name="Hải Hậu", origins=[URL], timezone="Asia/Ho_Chi_Minh")


def themed(folder: Path) -> Site:
    return msgspec.structs.replace(SITE, theme=str(folder))


def test_theme_overrides_the_default_file_by_file() -> None:
    """The example changes contact, title, emblem and colours; all else is the default, and no page lacks its style."""
    own, ours = render_every_kind(themed(EXAMPLE), URL), render_every_kind(SITE, URL)
    theme = read_theme(str(EXAMPLE))
    for name, document in own.items():
        page = document.body.decode()
        if name == "saved copy":  # it has its style inside, and no contact block
            assert "--brand: #0b5d4e" in page
            assert 'url("data:image/svg+xml;base64,' in page
            continue
        assert page.count("Ghi rõ nguồn khi đăng lại") == 1, name
        assert theme.paths["site.css"] in page
        assert theme.paths["emblem.svg"] in page
        assert document.checksum != ours[name].checksum
    assert "<title>Đổi mới | Hải Hậu</title>" in own["article"].body.decode()
    style = theme.assets[theme.paths["site.css"]].body.decode()
    assert style.index("--brand: #9c1c1f") < style.index("--brand: #0b5d4e")  # ours first, then what was added
    assert f'url("{theme.paths["hoa/song.svg"]}")' in style


def test_json_in_pages_ends_no_script() -> None:
    """Values become what Jinja's filter makes of them, compact: what could end a script or an attribute is escaped."""
    value = {"a": ["</script><!--", "'&\u2028", 1, None, "Hải Hậu"]}
    made = read_theme("").templates.from_string("{{ value | tojson }}").render(value=value)
    assert made == htmlsafe_json_dumps(value, dumps=lambda one, **_: msgspec.json.encode(one).decode())


def test_file_url_changes_with_its_bytes(tmp_path: Path) -> None:
    """A changed picture changes the style that names it, and so each page and its tag; the same files give the same."""
    first, second, same = (shutil.copytree(EXAMPLE, tmp_path / name) for name in ("first", "second", "same"))
    (second / "hoa/song.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    tags = [render_every_kind(themed(folder), URL)["home"].checksum for folder in (first, second, same)]
    assert tags[0] == tags[2] != tags[1]
    assert read_theme(str(first)).paths["site.css"] != read_theme(str(second)).paths["site.css"]


async def test_two_sites_have_their_own_pages_and_files(portal: Any, tmp_path: Path) -> None:
    """Each site has its own theme and policy, also within one process; assets are cached permanently."""
    folder = shutil.copytree(EXAMPLE, tmp_path / "own")
    (folder / "preferences.js").write_text("document.documentElement.dataset.mine = 1")
    own = msgspec.structs.replace(themed(folder), slug="rieng", origins=["https://rieng.example"])
    portal.portal = Portal(
        Pools(portal.looking, portal.pool, portal.pool), Sites(haihau=portal.site, rieng=own), 1024 * 1024
    )
    await portal.add(5)
    hashes = []
    for host, style in (("haihau.example", read_theme("")), ("rieng.example", read_theme(str(folder)))):
        got = await portal.get("/", host=host)
        script = re.findall(r"<script>(.*?)</script>", got.text)[0]
        checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{checksum}'" in got.headers["content-security-policy"]
        hashes.append(checksum)
        assert style.paths["site.css"] in got.text
        for path in re.findall(r'(?:href|src)="(/theme/[^"]+)"', got.text):
            served = await portal.get(path, host=host)
            assert served.status == 200, path
            assert "immutable" in served.headers["cache-control"]
    assert hashes[0] != hashes[1]
    assert "dataset.mine" in (await portal.get("/khong-co", host="rieng.example")).text


BROKEN = {
    "an unknown name": ("search.html", "<p>\n{{ nothing_like_it }}", "search.html, line 2"),
    "a wrong tag": ("home.html", "{% if lead %}\n{% endfor %}", "home.html, line 2"),
    "a template that is not there": ("list.html", '{% extends "nowhere.html" %}', "nowhere.html"),
    "a fault of one kind of page alone": ("error.html", "\n\n{{ status / 0 }}", "error.html, line 3"),
    "a picture that is not there": ("extra.css", "a { background: url(lost.png) }", "lost.png"),
    "a kind of file that is not served": ("font.exe", "x", "font.exe"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_faulty_theme_is_reported_with_file_and_line(tmp_path: Path, fault: str) -> None:
    """A theme that cannot make every page is refused, with file and line."""
    name, content, told = BROKEN[fault]
    (tmp_path / name).write_text(content)
    with pytest.raises(ThemeError, match=re.escape(told)):
        check_theme(themed(tmp_path))


def test_service_with_a_faulty_theme_does_not_start(tmp_path: Path) -> None:
    """The operator reads one sentence with file and line, before a port is open; other services do not mind."""
    (tmp_path / "themes/own").mkdir(parents=True)
    (tmp_path / "themes/own/article.html").write_text("{{ article.titel }}")
    sites = tmp_path / "sites.toml"
    table = 'slug = "haihau"\nname = "Hải Hậu"\norigins = ["https://a.example"]\ntimezone = "Asia/Ho_Chi_Minh"\n'
    sites.write_text(f'[[site]]\n{table}theme = "themes/own"\n')
    assert read_sites(sites)["haihau"].theme == str(tmp_path / "themes/own")
    environment = {
        **os.environ,
        "PRESSTALLY_SITES": str(sites),
        "DATABASE_URL": "postgresql://x",
        "KAFKA_BOOTSTRAP": "x:1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.render", "site"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "article.html, line 1" in done.stderr
    assert "titel" in done.stderr
    assert "Traceback" not in done.stderr
