"""The documentation: the site builds without a warning, links lead somewhere, nothing is loaded from other hosts."""

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from services.ingest.settings import IngestSettings
from services.render.settings import RenderSettings
from services.stats.settings import StatsSettings
from shared.settings import variable_name
from shared.sites import Site
from shared.sites_file import NEVER_OF_A_FILE
from shared.topics import TopicSettings
from tools.docs_site.__main__ import OUTSIDE, BrokenLink, convert

ROOT = Path(__file__).parent.parent.parent
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT,
    check=True,
    capture_output=True,
    text=True,
).stdout.splitlines()
PAGES = [name for name in TRACKED if (ROOT / name).exists()]
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "embed": "src", "object": "data"}


class Links(HTMLParser):
    """The links of a page, what it loads, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.loads: list[str] = []
        self.anchors = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.anchors |= {str(named[name]) for name in ("id", "name") if named.get(name)}
        if tag == "a" and named.get("href"):
            self.hrefs.append(str(named["href"]))
        if tag in LOADS and named.get(LOADS[tag]):
            self.loads.append(str(named[LOADS[tag]]))
        if tag == "link" and named.get("rel") not in ("canonical", "index", "search", "next", "prev", "author"):
            self.loads.append(str(named.get("href")))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "tools.docs_site", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return output


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    return {file: Links(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}


def test_site_has_every_page_and_the_front_pictures(site: Path, pages: dict[Path, Links]) -> None:
    """Each page of docs/, and those from outside it, is in the site; the front page shows its two pictures."""
    names = [str(Path(name).relative_to("docs")) for name in PAGES if name.startswith("docs/")]
    wanted = [name.replace("README.md", "index.md") for name in names] + list(OUTSIDE.values())
    assert len(wanted) > 50
    assert [name for name in wanted if site / name.replace(".md", ".html") not in pages] == []
    assert len([one for one in pages[site / "index.html"].loads if "phone" in one or "counter" in one]) == 2


def test_site_links_lead_to_pages_and_anchors(site: Path, pages: dict[Path, Links]) -> None:
    """Each internal link of the built pages has its file, and its anchor if it names one."""
    broken = []
    for file, links in pages.items():
        for href in (*links.hrefs, *links.loads):
            parts = urlsplit(href)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.exists() or (target in pages and unquote(parts.fragment) not in pages[target].anchors):
                broken.append((file.relative_to(site), href))
    assert broken == []


def test_site_loads_nothing_from_other_hosts(site: Path, pages: dict[Path, Links]) -> None:
    """No page, style or script of the site loads an image, a font or code from elsewhere."""
    loads = [one for links in pages.values() for one in links.loads]
    assert len(loads) > 100
    assert [one for one in loads if urlsplit(one).netloc] == []
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*\)|@import\s+[\"']?(?:https?:)?//", text) == [], style
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"(?:fetch|import)\(\s*[\"']https?://", text) == [], page


def slugs(text: str) -> Iterator[str]:
    """Return the anchors of a Markdown file as Git hosts make them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#{1,6} (.+)$", prose, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("name", PAGES)
def test_markdown_links_lead_to_files_and_headings(name: str) -> None:
    """Each relative link of a Markdown file of the repository has its file, and its heading if it names one."""
    text = re.sub(r"^```.*?^```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]+`", "", text)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / unquote(path) if path else ROOT / name
        assert file.exists(), (name, target)
        if anchor:
            assert unquote(anchor) in set(slugs(file.read_text(encoding="utf-8"))), (name, target)


def test_link_to_a_missing_file_stops_the_build() -> None:
    """A page with a link to a file that is not in the repository is an error that names both."""
    with pytest.raises(BrokenLink, match=r"docs/index\.md links to \.\./no-such-file\.md"):
        convert("[gone](../no-such-file.md)", "docs/index.md")


def test_links_out_of_docs_become_paths_in_the_site() -> None:
    """Links to pages outside docs/ become pages of the site, links to other files become their paths."""
    text = "[k](../deploy/k8s/README.md), [sites](../sites.toml), [x](privacy.md#privacy), [sites.toml](../sites.toml)"
    wanted = "[k](kubernetes.md), sites (`sites.toml`), [x](privacy.md#privacy), sites.toml"
    assert convert(text, "docs/index.md") == wanted
    assert convert("[p](docs/privacy.md)", "ARCHITECTURE.md") == "[p](privacy.md)"


def test_readme_links_every_page_of_docs() -> None:
    """README's table of documentation has each page of docs/."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {file.stem for file in (ROOT / "docs").glob("*.md")}
    assert set(re.findall(r"docs/([a-z-]+)\.md", text)) >= pages


def rows(page: str, pattern: str) -> dict[str, str]:
    return dict(re.findall(pattern, (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE))


def test_documented_defaults_are_those_of_the_settings() -> None:
    """Each default in docs/configuration.md is the one that the code uses."""
    table = rows("docs/configuration.md", r"^\| `((?:PRESSTALLY|KAFKA|DATABASE|OTEL)_[A-Z_]+)` \| (.*?) ?\| ")
    in_words = {
        "KAFKA_CA_FILE": "system CAs",
        "PRESSTALLY_PUBLIC_URL": "first origin of the site",
        "PRESSTALLY_TRACING": "off",
        "PRESSTALLY_TRUSTED_PROXIES": "none",
        "PRESSTALLY_WEBHOOK_NETWORKS": "none",
        "PRESSTALLY_HUB_NETWORKS": "none",
        "PRESSTALLY_GROUP": "stats-counter, render-builder",
    }
    groups = {settings.model_fields["group"].default for settings in (StatsSettings, RenderSettings)}
    assert set(in_words["PRESSTALLY_GROUP"].split(", ")) == groups
    compared = 0
    for settings in (IngestSettings, StatsSettings, RenderSettings, TopicSettings):
        for field, info in settings.model_fields.items():
            name = variable_name(settings, field)
            default = info.default
            if name in in_words or info.is_required():
                assert table[name] == in_words.get(name, ""), name
            elif isinstance(default, float | int) and not isinstance(default, bool):
                assert float(table[name]) == default, name
            else:
                secret = default.get_secret_value() if hasattr(default, "get_secret_value") else default
                assert table[name] == ("" if secret is None else str(secret)), name
            compared += 1
    assert compared > 50


def test_documented_keys_of_sites_are_those_of_the_code() -> None:
    """The table of sites.toml in docs/configuration.md has each key of a site, with its default."""
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8").partition("## Sites")[2]
    table = dict(re.findall(r"^\| `([a-z_]+)` \| (.+?) \| ", page, re.MULTILINE))
    assert set(table) == set(Site.__struct_fields__) - NEVER_OF_A_FILE
    required = len(Site.__struct_fields__) - len(Site.__struct_defaults__)
    assert required == sum(default == "required" for default in table.values())
    site = Site(slug="s", name="S", origins=["https://s.example"], timezone="UTC")
    for key, default in table.items():
        if default != "required":
            value = getattr(site, key)
            wanted = f'"{value}"' if isinstance(value, str) else str(value).lower()
            assert default == f"`{wanted}`", key
