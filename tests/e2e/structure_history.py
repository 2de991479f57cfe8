"""A random history of a site: articles, its sections, tags, authors, menus, static pages and front page, by the API.

Nothing is remembered of what was done: each step chooses from what the API has, and repeats requests through kills.
What an editor has not released has the words UNFINISHED, which readers must never see.
"""

import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.conftest import Editors

SITE, HOST = "giao-thuy", "giaothuy.example"
UNFINISHED = "CHUADUYET"
SEARCHED = "khuyetdanh"
"""Stands before UNFINISHED: a search for it must find nothing."""
PRIVATE_EMAIL = "rieng.tu@giaothuy.example"
TAGS, AUTHORS = 6, 4
ARRANGED_EACH = 10
"""Steps from one front page to the next."""
RESPONDED = {200, 201, 204, 404, 409, 412, 422}
"""After a kill, a request may be repeated that took effect: its section is renamed, its page withdrawn."""


class History:
    """Takes random steps.

    Args:
        editors: Of the running system.
        seed: Equal seeds begin with equal steps.
        prefix: Begins the slugs of the history's own sections and words.
    """

    def __init__(self, editors: Editors, seed: int, prefix: str) -> None:
        self._editors = editors
        self._random = random.Random(seed)
        self._prefix = prefix
        self._places = random.Random(seed)
        """Of the front page: the other steps of a seed do not depend on it."""
        self._count = self._steps = 0
        self._articles: list[str] = []
        self.viewed: list[str] = []
        """Articles that stay public."""

    def begin(self) -> None:
        """Make sections, publish an article in each, and take two back."""
        for number in range(4):
            self._post("/sections", {"site": SITE, "name": f"{self._prefix} {number}"})
            self.publish_article(stays=True)
        for name in ("kill", "unpublish"):
            self.publish_article(stays=False)
            self.take_back(name)

    def step(self) -> None:
        """Take one random step."""
        steps: dict[Callable[[], None], int] = {
            self.publish_article: 6,
            self.write_draft: 2,
            self.fix_live: 2,
            self.take_back: 1,
            self.rename_section: 3,
            self.merge_section: 2,
            self.add_section: 2,
            self.rename_tag: 3,
            self.merge_tag: 1,
            self.save_author: 3,
            self.merge_author: 1,
            self.write_page: 2,
            self.publish_page: 3,
            self.withdraw_page: 1,
            self.replace_menu: 2,
        }
        self._random.choices(list(steps), list(steps.values()))[0]()
        self._steps += 1
        if self._steps % ARRANGED_EACH == 0:
            self.arrange_front_page()

    def publish_article(self, *, stays: bool | None = None) -> None:
        """Publish an article; every other one stays public, if it is not said."""
        name = self._name()
        section = self._random.choice(self.sections())
        slug = self._random.choice([section["slug"], *section["former_slugs"]])
        given = {"site": SITE, "section": slug, "title": f"Bài {name}", "body": f"<p>Thân {name}.</p>"}
        given["tags"] = self._random.sample([f"{self._prefix}tag{number}" for number in range(TAGS)], 2)
        given["authors"] = [f"{self._prefix} tacgia{self._random.randrange(AUTHORS)}"]
        article = self._post("/articles", given)
        self._post(f"/articles/{article['id']}/publish", {"version": article["version"]})
        stays = bool(self._count % 2) if stays is None else stays
        (self.viewed if stays else self._articles).append(article["id"])

    def write_draft(self) -> None:
        """Write an article that stays a draft, or a working copy above a public one."""
        text = {"title": f"{SEARCHED} {UNFINISHED} {self._name()}", "body": f"<p>{SEARCHED} {UNFINISHED}</p>"}
        if self._random.random() < 0.5:
            section = self._random.choice(self.sections())["slug"]
            self._post("/articles", {"site": SITE, "section": section, **text})
        else:
            self._call("PATCH", f"/articles/{self._random.choice(self.viewed)}", text)

    def fix_live(self) -> None:
        """Move a public article into another section, without its working copy."""
        article, section = self._random.choice(self.viewed), self._random.choice(self.sections())["slug"]
        sent = {"section": section, "lead": f"Sửa {self._name()}", "carry_over": "where_possible"}
        self._call("PATCH", f"/articles/{article}/live", sent)

    def take_back(self, name: str = "") -> None:
        """Unpublish or kill an article."""
        if self._articles:
            article = self._articles.pop(self._random.randrange(len(self._articles)))
            version = self._call("GET", f"/articles/{article}", None).get("version")
            step = name or self._random.choice(["unpublish", "kill"])
            self._post(f"/articles/{article}/{step}", {"version": version, "reason": "sai"})

    def rename_section(self) -> None:
        """Give a section another name and slug, or its first former slug again."""
        section = self._own_section()
        name = self._name()
        slug = self._random.choice([f"{self._prefix}-{self._count}", *section["former_slugs"][:1]])
        self._call("PATCH", f"/sections/{section['slug']}?site={SITE}", {"slug": slug, "name": f"Mục {name}"})

    def merge_section(self) -> None:
        """Merge a section into another one, as long as there are several."""
        if len([one for one in self.sections() if self._is_own(one["slug"])]) > 2:
            one, into = self._own_section(), self._own_section()
            self._post(f"/sections/{one['slug']}/merge?site={SITE}", {"into": into["slug"]})

    def add_section(self) -> None:
        """Add a section, in any place."""
        given = {"name": f"Mục {self._name()}", "slug": f"{self._prefix}-{self._count}"}
        self._post("/sections", {"site": SITE, "position": self._random.randrange(3), **given})

    def rename_tag(self) -> None:
        """Give a tag another name."""
        slug = f"{self._prefix}tag{self._random.randrange(TAGS)}"
        current = self._call("GET", f"/tags/{slug}?site={SITE}", None).get("slug", slug)
        self._call("PATCH", f"/tags/{current}?site={SITE}", {"name": f"{self._prefix}the{self._name()}"})

    def merge_tag(self) -> None:
        """Merge a tag into another one."""
        tags = self._call("GET", f"/tags?site={SITE}&q={self._prefix}&limit=100", None)["tags"]
        if len(tags) > 3:
            one, into = self._random.sample(tags, 2)
            self._post(f"/tags/{one['slug']}/merge?site={SITE}", {"into": into["slug"]})

    def save_author(self) -> None:
        """Add an author with a page, or give one another name."""
        authors = [
            one for one in self._call("GET", f"/authors?site={SITE}&limit=100", None)["authors"] if one["version"]
        ]
        own = [one for one in authors if self._is_own(one["slug"])]
        if own and self._random.random() < 0.5:
            name = {"name": f"{self._prefix} {self._name()}"}
            self._call("PATCH", f"/authors/{self._random.choice(own)['slug']}?site={SITE}", name)
        else:
            name = {"name": f"{self._prefix} tacgia{self._random.randrange(AUTHORS)}", "email": PRIVATE_EMAIL}
            self._post("/authors", {"site": SITE, **name})

    def merge_author(self) -> None:
        """Give the bylines of an author to another one with a page."""
        own = self._own_authors()
        into = [one for one in own if one["version"]]
        if len(own) > 2 and into:
            one = self._random.choice(own)["slug"]
            self._post(f"/authors/{one}/merge?site={SITE}", {"into": self._random.choice(into)["slug"]})

    def write_page(self) -> None:
        """Write a static page that nobody may see yet."""
        text = {"title": f"{UNFINISHED} {self._name()}", "body": f"<p>{UNFINISHED}</p>"}
        pages = self._own_pages()
        if len(pages) < 4:
            self._post("/pages", {"site": SITE, "slug": f"{self._prefix}-{self._count}", **text})
        else:
            self._call("PATCH", f"/pages/{self._random.choice(pages)['id']}", text)

    def publish_page(self) -> None:
        """Finish a static page under any slug, and publish it."""
        if pages := self._own_pages():
            page, name = self._random.choice(pages)["id"], self._name()
            text = {"title": f"Trang {name}", "slug": f"{self._prefix}-{self._count}", "body": f"<p>Trang {name}.</p>"}
            self._call("PATCH", f"/pages/{page}", text)
            self._post(f"/pages/{page}/publish", {})

    def withdraw_page(self) -> None:
        """Withdraw a static page."""
        if pages := self._own_pages():
            self._post(f"/pages/{self._random.choice(pages)['id']}/unpublish", {})

    def replace_menu(self) -> None:
        """Replace a menu by sections, tags and pages, under their present or former slugs."""
        sections = [{"kind": "section", "target": one["slug"]} for one in self.sections()[:3]]
        pages = [{"kind": "page", "target": one["id"]} for one in self._own_pages()[:2]]
        tag = {"kind": "tag", "target": f"{self._prefix}tag0", "items": pages, "label": f"Nhãn {self._name()}"}
        menu = self._random.choice(["main", "footer"])
        self._call("PUT", f"/menus/{menu}?site={SITE}", {"items": [{"kind": "home"}, *sections, tag]})

    def arrange_front_page(self) -> None:
        """Put articles on the front page, also such as may be withdrawn later, and breaking news that leads to one."""
        until = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
        chosen = self._places.sample([*self.viewed, *self._articles], 4)
        bar = {"text": f"Khẩn {uuid.uuid4().hex}", "article": self._places.choice(self.viewed), "until": until}
        slots = [{"article": article, "until": until} for article in chosen]
        self._call("PUT", f"/front-page?site={SITE}", {"slots": slots, "breaking": bar})

    def sections(self) -> list[dict[str, Any]]:
        """Return the history's own sections."""
        found = self._call("GET", f"/sections?site={SITE}", None)["sections"]
        return [one for one in found if self._is_own(one["slug"])]

    def _own_section(self) -> dict[str, Any]:
        return self._random.choice(self.sections())

    def _own_authors(self) -> list[dict[str, Any]]:
        found = self._call("GET", f"/authors?site={SITE}&limit=100", None)["authors"]
        return [one for one in found if self._is_own(one["slug"])]

    def _own_pages(self) -> list[dict[str, Any]]:
        return [one for one in self._call("GET", f"/pages?site={SITE}", None)["pages"] if self._is_own(one["slug"])]

    def _is_own(self, slug: str) -> bool:
        return slug.startswith(self._prefix)

    def _name(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"

    def _post(self, path: str, body: Any) -> Any:
        return self._call("POST", path, body, idempotency_key=str(uuid.uuid4()))

    def _call(self, method: str, path: str, body: Any, **headers: str) -> Any:
        while True:
            try:
                answer = self._editors.call(method, path, body, "admin", **({"if_match": "*"} | headers))
            except OSError:
                time.sleep(0.1)
                continue
            if answer.status not in (502, 503):
                assert answer.status in RESPONDED, (method, path, answer.status, answer.text)
                return answer.json() if answer.body else {}
            time.sleep(0.1)
