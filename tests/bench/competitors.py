"""Hugo and Pelican, for comparison: articles → their content files → their programs."""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from deploy.local.bootstrap import ROOT, install_packages
from services.render.pages.html import srcset
from shared.articles import Article, Block, BulletList, Figure, Heading, Image, Paragraph, Quote
from shared.structured_data import summary
from tests.bench.sample_articles import SAMPLE_SITE, write_photos

TEMPLATES = Path(__file__).parent / "competitors"
VENV = ROOT / ".local-cache" / "competitors"
SIZES = "(min-width: 48rem) 46rem, 100vw"


def install() -> None:
    """Install both from their locked requirements: they are large, and only this benchmark needs them."""
    VENV.parent.mkdir(exist_ok=True)
    install_packages(VENV, TEMPLATES / "requirements.txt")


def hugo(folder: Path, site: Path) -> list[str]:
    """Return the command that builds the site of a folder with Hugo."""
    binary = next(VENV.glob("lib/python*/site-packages/hugo/binaries/hugo*"))
    given = ["--source", str(TEMPLATES / "hugo"), "--contentDir", str(folder / "hugo"), "--noBuildLock", "--quiet"]
    return [str(binary), *given, "--cacheDir", str(folder / "cache"), "--destination", str(site)]


def surroundings(folder: Path) -> dict[str, str]:
    """Return the environment of both: a single CPU core for Hugo, and its photos."""
    return {"GOMAXPROCS": "1", "HUGO_STATICDIR": str(folder / "static")}


def pelican(folder: Path, site: Path) -> list[str]:
    """Return the command that builds the site of a folder with Pelican."""
    settings = str(TEMPLATES / "pelican" / "pelicanconf.py")
    program = [str(VENV / "bin" / "python"), "-m", "pelican", str(folder / "pelican"), "--quiet"]
    return [*program, "--settings", settings, "--output", str(site)]


def write(articles: Iterable[Article], folder: Path) -> None:
    """Write the articles as content for both: the same texts, with bodies in HTML."""
    for section in SAMPLE_SITE.sections:
        index = folder / "hugo" / section.slug / "_index.html"
        index.parent.mkdir(parents=True)
        index.write_text(json.dumps({"title": section.name}), encoding="utf-8")
    write_photos(folder / "static" / "media")
    (folder / "pelican").mkdir()
    (folder / "pelican" / "media").symlink_to(folder / "static" / "media")
    for article in articles:
        body = "\n".join(map(_html, article.body))
        name = f"{article.slug}-{article.number}"
        front = json.dumps(_front(article), ensure_ascii=False)
        (folder / "hugo" / article.section / f"{name}.html").write_text(f"{front}\n{body}", encoding="utf-8")
        (folder / "pelican" / f"{name}.html").write_text(_page(article, name, body), encoding="utf-8")


def _local(instant: datetime) -> str:
    return instant.astimezone(SAMPLE_SITE.zone).isoformat(timespec="seconds")


def _front(article: Article) -> dict[str, Any]:
    at = article.published_at or article.modified_at
    return {
        "title": article.title,
        "date": _local(at),
        "lastmod": _local(article.modified_at),
        "url": f"/{article.slug}-{article.number}.html",
        "description": summary(article),
        "lead": article.lead,
        "id": article.id,
        "author": article.authors[0].name,
        "source": article.source.name if article.source else "",
        "tag": article.tags,
        "luu-tru": [f"{at.astimezone(SAMPLE_SITE.zone):%Y-%m}"],
        "image": _picture(article),
    }


def _picture(article: Article) -> dict[str, Any]:
    assert article.lead_image is not None
    assert article.lead_image.image is not None
    image = article.lead_image.image
    copies = defaultdict(list)
    for one in image.renditions:
        copies[one.url.rpartition(".")[2]].append({"url": one.url, "width": one.width})
    copies["jpg"].append({"url": image.url, "width": image.width})
    described = {"url": image.url, "alt": image.alt, "width": image.width, "height": image.height, "copies": copies}
    return {**described, "caption": article.lead_image.caption, "credit": article.lead_image.credit}


def _page(article: Article, name: str, body: str) -> str:
    front = _front(article)
    described = {
        "slug": name,
        "date": front["date"],
        "category": next(one.slug for one in SAMPLE_SITE.sections if one.slug == article.section),
        "tags": ", ".join(article.tags),
        "image": json.dumps(front["image"], ensure_ascii=False),
        "writer": front["author"],
        **{name: front[name] for name in ("description", "lead", "id", "source")},
    }
    metas = "\n".join(f'<meta name="{key}" content="{escape(value)}">' for key, value in described.items())
    return f"<html><head><title>{escape(article.title)}</title>\n{metas}\n</head><body>\n{body}\n</body></html>"


def _html(block: Block) -> str:
    match block:
        case Paragraph():
            return f"<p>{block.html}</p>"
        case Heading():
            return f"<h{block.level}>{block.html}</h{block.level}>"
        case BulletList():
            return "<ul>\n" + "".join(f"  <li>{item.html}</li>\n" for item in block.items) + "</ul>"
        case Quote():
            paragraphs = "".join(f"<p>{one}</p>" for one in block.paragraphs)
            return f"<blockquote>{paragraphs}<footer><cite>{escape(block.cite or '')}</cite></footer></blockquote>"
        case Figure(image=Image() as image):
            sources = "".join(
                f'<source type="{kind}" srcset="{srcset(image, kind)}" sizes="{SIZES}">'
                for kind in ("image/avif", "image/webp")
            )
            size = f'width="{image.width}" height="{image.height}"'
            shown = f'<img src="{image.url}" alt="{escape(image.alt)}" {size} srcset="{srcset(image)}" sizes="{SIZES}">'
            caption = f"<figcaption>{escape(block.caption)} <small>{escape(block.credit or '')}</small></figcaption>"
            return f"<figure><picture>{sources}{shown}</picture>{caption}</figure>"
    raise TypeError(f"the sample has no {type(block).__name__}")
